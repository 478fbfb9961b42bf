/* Comfort only: every page works without this file. */
(function () {
	'use strict';
	var doc = document;

	function each(selector, fn) {
		Array.prototype.forEach.call(doc.querySelectorAll(selector), fn);
	}

	function say(text) {
		var p = doc.getElementById('said');
		if (!p) {
			p = doc.createElement('p');
			p.id = 'said';
			p.className = 'state';
			p.setAttribute('role', 'status');
			doc.getElementById('main').appendChild(p);
		}
		p.textContent = text;
	}

	/* Someone who cannot see the page must hear first what went wrong. */
	each('.errors', function (box) { box.focus(); });

	/* The eye beside a password: one state for all fields of a form that take the same one. */
	each('input[type=password]', function (input) {
		var button = doc.createElement('button'), row = doc.createElement('div'), form = input.form;
		var peers = '[data-show][autocomplete=' + input.getAttribute('autocomplete') + ']';
		button.type = 'button';
		button.innerHTML = '<svg viewBox="0 0 24 16" width="24" height="16" aria-hidden="true"><path d="M1 8s4-7 11-7 11 7 11 7-4 7-11 7S1 8 1 8z"/><circle cx="12" cy="8" r="3"/></svg>';
		button.appendChild(doc.createTextNode(input.getAttribute('data-show')));
		button.setAttribute('aria-label', button.textContent + ': ' + form.querySelector('label[for=' + input.id + ']').textContent);
		button.setAttribute('aria-controls', input.id);
		row.className = 'secret';
		input.parentNode.insertBefore(row, input);
		row.appendChild(input);
		row.appendChild(button);
		function show(yes) {
			Array.prototype.forEach.call(form.querySelectorAll(peers), function (peer) {
				peer.type = yes ? 'text' : 'password';
				if (peer.parentNode.className === 'secret') /* else its own eye is still to come */
					peer.nextElementSibling.setAttribute('aria-pressed', yes ? 'true' : 'false');
			});
		}
		button.addEventListener('click', function () { show(input.type === 'password'); input.focus(); });
		/* Browsers remember what was typed into text fields: hide it again before it leaves. */
		form.addEventListener('submit', function () { show(false); });
		addEventListener('pageshow', function () { show(false); });
		show(false);
	});

	/* Of a new password only what is certain; the rest, and all that counts, is the server's to say. Nothing is sent. */
	each('input[data-min]', function (input) {
		var said = doc.getElementById('a-new'), again = input.form.elements.again, same = doc.getElementById('a-again'), timer;
		var user = input.form.querySelector('[autocomplete=username]');
		if (!''.normalize)
			return;
		function bare(s) {
			return s.normalize('NFKC').toLowerCase().replace(/[!-\/:-@[-`{-~ ]/g, '');
		}
		function easy(s) {
			var run = s.length > 1 && s.charCodeAt(1) - s.charCodeAt(0), i;
			for (i = 2; Math.abs(run) === 1 && i < s.length; i++)
				if (s.charCodeAt(i) - s.charCodeAt(i - 1) !== run)
					run = 0;
			return Math.abs(run) === 1 || /^(.{1,4})\1+$|^(19|20)\d\d(0[1-9]|1[0-2])([0-2][1-9]|[123]0|31)$|^(password|passwd|qwerty|sakura)\d{0,3}$/.test(s);
		}
		function put(p, name, n) {
			var text = name ? p.getAttribute('data-' + name).replace('#', n) : '';
			if (p.textContent !== text)
				p.textContent = text;
			p.className = 'advice' + (name === 'long' || name === 'same' ? ' good' : '');
		}
		function look() {
			var s = input.value.normalize('NFKC'), n = Array.from(s).length, min = +input.getAttribute('data-min'), id = user ? bare(user.value) : '';
			put(said, !n ? '' : id.length > 3 && bare(s).indexOf(id) >= 0 ? 'own' : n < min ? 'short' : easy(s.toLowerCase()) ? 'easy' : 'long', n < min ? min - n : n);
			s = again.value.normalize('NFKC') === s;
			put(same, !again.value || n < min || (!s && Array.from(again.value).length < n) ? '' : s ? 'same' : 'other', 0);
		}
		input.form.addEventListener('input', function () {
			clearTimeout(timer);
			timer = setTimeout(look, 500);
		});
	});

	/* A second press sends nothing. The button stays enabled (a disabled one would lose its value and the focus), and
	 * all is undone when the page comes back or nothing came of it. */
	each('form', function (form) {
		var sent = false;
		function mark(yes) {
			sent = yes;
			Array.prototype.forEach.call(form.querySelectorAll('button'), function (b) {
				if (yes)
					b.setAttribute('aria-disabled', 'true');
				else
					b.removeAttribute('aria-disabled');
			});
		}
		form.addEventListener('submit', function (event) {
			if (sent) {
				event.preventDefault();
				return;
			}
			mark(true);
			setTimeout(mark, 15000, false);
		});
		addEventListener('pageshow', function () { mark(false); });
	});

	each('[data-copy]', function (button) {
		var source = doc.getElementById(button.getAttribute('data-copy'));
		function old(text) {
			var area = doc.createElement('textarea'), ok;
			area.value = text;
			doc.body.appendChild(area);
			area.select();
			ok = doc.execCommand('copy');
			area.remove();
			return ok;
		}
		function done() {
			button.textContent = button.getAttribute('data-done');
			say(button.textContent);
		}
		button.hidden = false;
		button.addEventListener('click', function () {
			var text = source.textContent.replace(/\s+/g, '');
			if (navigator.clipboard)
				navigator.clipboard.writeText(text).then(done, function () { if (old(text)) done(); });
			else if (old(text))
				done();
		});
	});

	each('[data-print]', function (button) {
		button.hidden = false;
		button.addEventListener('click', function () { print(); });
	});

	each('[data-save]', function (button) {
		var sheet = doc.getElementById(button.getAttribute('data-save'));
		if (!('download' in doc.createElement('a')))
			return;
		button.hidden = false;
		button.addEventListener('click', function () {
			var link = doc.createElement('a'), n = 0, lines = [];
			Array.prototype.forEach.call(sheet.querySelectorAll('p, li'), function (el) {
				lines.push((el.tagName === 'LI' ? ++n + '. ' : '') + el.innerText.trim());
			});
			/* The mark and the line ends are for Windows' old Notepad. */
			link.href = URL.createObjectURL(new Blob(['\ufeff' + lines.join('\n').replace(/\n/g, '\r\n') + '\r\n' + location.origin + '/\r\n'], { type: 'text/plain' }));
			link.download = button.getAttribute('data-file') + '.txt';
			doc.body.appendChild(link);
			link.click();
			link.remove();
			setTimeout(function () { URL.revokeObjectURL(link.href); }, 60000);
		});
	});

	each('[data-again]', function (button) {
		var end = Date.now() + 1000 * (parseInt(button.getAttribute('data-again'), 10) || 0), timer;
		var note = button.form.querySelector('[data-left]') || doc.createElement('p'); /* what is there without us */
		function tick() {
			var left = Math.ceil((end - Date.now()) / 1000), long = left >= 120;
			button.disabled = left > 0;
			note.textContent = left > 0 ? button.getAttribute(long ? 'data-wait-long' : 'data-wait').replace('#', long ? Math.ceil(left / 60) : left) : '';
			note.hidden = left <= 0;
			if (left <= 0)
				clearInterval(timer);
		}
		note.className = 'hint';
		button.parentNode.insertBefore(note, button);
		timer = setInterval(tick, 500);
		tick();
	});

	/* ---- passkeys (WebAuthn): the page asks the device, and the answer leaves as an ordinary form ---- */

	function unpack(text) {
		var s = atob(text.replace(/-/g, '+').replace(/_/g, '/')), out = new Uint8Array(s.length), i;
		for (i = 0; i < s.length; i++)
			out[i] = s.charCodeAt(i);
		return out;
	}

	function pack(buffer) {
		var s = '';
		new Uint8Array(buffer || []).forEach(function (byte) { s += String.fromCharCode(byte); });
		return btoa(s).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
	}

	function unpackOptions(json) {
		var o = JSON.parse(json);
		o.challenge = unpack(o.challenge);
		if (o.user)
			o.user.id = unpack(o.user.id);
		(o.excludeCredentials || []).concat(o.allowCredentials || []).forEach(function (c) { c.id = unpack(c.id); });
		return o;
	}

	/* Only the newest request may go on: browsers allow one at a time. */
	var asking = null;

	function ask(create, options, mediation) {
		var request = { signal: null };
		if (asking)
			asking.abort();
		asking = new AbortController();
		request.signal = asking.signal;
		if (mediation)
			request.mediation = mediation;
		request.publicKey = options;
		return create ? navigator.credentials.create(request) : navigator.credentials.get(request);
	}

	function signal(name, data) {
		if (window.PublicKeyCredential && PublicKeyCredential[name])
			PublicKeyCredential[name](data).catch(function () {});
	}

	each('form[data-passkey]', function (form) {
		var create = form.getAttribute('data-passkey') === 'create', autofill = form.hasAttribute('data-autofill');
		var able = window.PublicKeyCredential && navigator.credentials && window.fetch && window.AbortController;
		var said = doc.getElementById('passkey-said'), born = Date.now(), busy = false, started, renewing;

		function tell(what) {
			Array.prototype.forEach.call(said.querySelectorAll('[data-case]'), function (p) {
				p.hidden = p.getAttribute('data-case') !== what;
			});
			said.hidden = !what;
			if (what)
				said.focus();
		}

		/* A challenge lives for two minutes, a page for longer. */
		function fresh() {
			if (Date.now() - born < 15000)
				return Promise.resolve();
			return fetch(form.getAttribute('data-page'), { credentials: 'same-origin', cache: 'no-store' }).then(function (reply) {
				if (reply.redirected) {
					location.assign('/');
					throw new DOMException('', 'AbortError');
				}
				return reply.ok ? reply.text() : Promise.reject(new DOMException('', 'OfflineError'));
			}, function () { throw new DOMException('', 'OfflineError'); }).then(function (html) {
				var now = new DOMParser().parseFromString(html, 'text/html').getElementById(form.getAttribute('id')); /* form.id may be a field */
				if (!now) { /* what it was about is over: the page says so */
					location.assign(form.getAttribute('data-page'));
					throw new DOMException('', 'AbortError');
				}
				form.setAttribute('data-options', now.getAttribute('data-options'));
				['csrf', 'challenge'].forEach(function (name) { form.elements[name].value = now.elements[name].value; });
				born = Date.now();
			});
		}

		function failed(e) {
			var cases = { InvalidStateError: create ? 'registered' : 'failed', NotSupportedError: 'unable', ConstraintError: 'unable', SecurityError: 'place', OfflineError: 'offline' };
			busy = false;
			say('');
			if (e.name === 'AbortError')
				return;
			if (e.name === 'NotAllowedError')
				tell(Date.now() - started > 95000 ? 'timeout' : 'cancelled');
			else
				tell(cases[e.name] || 'failed');
			offer();
		}

		function send(c) {
			var r = c.response, keep = doc.getElementById('f-keep');
			form.elements.client_data.value = pack(r.clientDataJSON);
			if (create) {
				form.elements.attestation.value = pack(r.attestationObject);
				form.elements.transports.value = r.getTransports ? r.getTransports().join(',') : '';
			} else {
				form.elements.id.value = pack(c.rawId);
				form.elements.auth_data.value = pack(r.authenticatorData);
				form.elements.signature.value = pack(r.signature);
				form.elements.user_handle.value = pack(r.userHandle);
			}
			if (form.elements.keep)
				form.elements.keep.value = keep && keep.checked ? '1' : '';
			form.submit();
		}

		function press(where) {
			if (busy)
				return;
			busy = true;
			tell('');
			say(form.getAttribute('data-wait'));
			clearTimeout(renewing);
			fresh().then(function () {
				var o = unpackOptions(form.getAttribute('data-options'));
				o.timeout = 100000;
				if (where) {
					o.authenticatorSelection.authenticatorAttachment = where === 'this' ? 'platform' : 'cross-platform';
					o.hints = where === 'this' ? ['client-device'] : ['hybrid', 'security-key'];
				}
				started = Date.now();
				return ask(create, o);
			}).then(send).catch(failed);
		}

		/* Passkeys among what the browser offers for the user ID: waits until one is chosen there. */
		function offer() {
			if (!autofill || !PublicKeyCredential.isConditionalMediationAvailable)
				return;
			PublicKeyCredential.isConditionalMediationAvailable().then(function (yes) {
				if (!yes || busy)
					return;
				fresh().then(function () {
					var o = unpackOptions(form.getAttribute('data-options'));
					renewing = setTimeout(renew, 90000);
					return ask(false, o, 'conditional');
				}).then(send).catch(function () {});
			});
		}

		/* Not while the device's own dialog has the focus: somebody is at it. */
		function renew() {
			if (doc.hasFocus())
				offer();
			else
				renewing = setTimeout(renew, 2000);
		}

		if (!able) {
			tell(autofill ? '' : 'unsupported');
			form.hidden = true;
			return;
		}
		form.hidden = false;
		Array.prototype.forEach.call(form.querySelectorAll('button'), function (button) {
			button.type = 'button';
			button.addEventListener('click', function () { press(button.getAttribute('data-where')); });
		});
		if (create && PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable)
			PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable().then(function (yes) {
				doc.getElementById('no-platform').hidden = yes;
			});
		if (form.hasAttribute('data-unknown'))
			signal('signalUnknownCredential', { rpId: form.getAttribute('data-rp'), credentialId: form.getAttribute('data-unknown') });
		addEventListener('pageshow', function (event) {
			busy = false;
			if (event.persisted) /* from the back button's cache: the challenge is used */
				born = 0;
		});
		offer();
	});

	/* What is registered here, so that the browser's list of passkeys agrees with it. */
	each('[data-signal]', function (el) {
		var s = JSON.parse(el.getAttribute('data-signal'));
		signal('signalAllAcceptedCredentials', { rpId: s.rpId, userId: s.userId, allAcceptedCredentialIds: s.ids });
		signal('signalCurrentUserDetails', { rpId: s.rpId, userId: s.userId, name: s.name, displayName: s.displayName });
	});

	/* Where passkeys cannot be used, another way is the one to take. */
	each('#m-passkey', function (input) {
		if (window.PublicKeyCredential)
			return;
		var other = input.form.querySelector('input[name=method]:not(#m-passkey)');
		input.disabled = true;
		if (other)
			other.checked = true;
	});

	/* What has become of the mail: the server's own sentence, fetched anew a few times. */
	each('[data-fresh]', function (el) {
		if (!window.fetch || !window.DOMParser)
			return;
		[3, 8, 20, 60, 180, 600].forEach(function (seconds) {
			setTimeout(function () {
				fetch(el.getAttribute('data-fresh'), { credentials: 'same-origin', cache: 'no-store' }).then(function (reply) {
					return reply.ok && !reply.redirected ? reply.text() : '';
				}).then(function (html) {
					var now = new DOMParser().parseFromString(html, 'text/html').getElementById(el.id);
					if (!now || now.textContent === el.textContent)
						return;
					el.textContent = '';
					while (now.firstChild)
						el.appendChild(doc.adoptNode(now.firstChild));
				}).catch(function () {});
			}, seconds * 1000);
		});
	});

	/* Has the mailed link been pressed elsewhere? Every 3 s, slower after 5 minutes or when the server does not answer,
	 * at once when the person comes back to this page; given up after half an hour. */
	each('[data-poll]', function (el) {
		var start = Date.now(), wait = 3000, timer, busy = false;
		function later() {
			clearTimeout(timer);
			if (Date.now() - start < 1800000)
				timer = setTimeout(ask, wait);
		}
		function ask() {
			if (busy)
				return;
			busy = true;
			fetch(el.getAttribute('data-poll'), { credentials: 'same-origin', cache: 'no-store', headers: { Accept: 'application/json' } }).then(function (reply) {
				if (reply.redirected)
					return { done: true };
				if (!reply.ok)
					throw reply.status;
				return reply.json();
			}).then(function (state) {
				busy = false;
				if (state.done) {
					location.replace('/');
					return;
				}
				wait = Date.now() - start < 300000 ? 3000 : 10000;
				later();
			}).catch(function () {
				busy = false;
				wait = Math.min(wait * 2, 60000);
				later();
			});
		}
		if (!window.fetch)
			return;
		doc.addEventListener('visibilitychange', function () {
			if (!doc.hidden && Date.now() - start < 1800000) {
				clearTimeout(timer);
				ask();
			}
		});
		later();
	});
})();
