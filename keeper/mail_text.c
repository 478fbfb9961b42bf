#include "config.h"

#include "common/i18n.h"
#include "keeper/mail_text.h"

/* clang-format off */
const struct mail_text_row mail_texts[MAIL_TEXTS] = {
	[MAIL_VERIFY] = {
		.name = "verify", .needs = "code link", .may = "", .urgent = true,
		.subject = N_("Please confirm your email address"),
		.body = N_("Please confirm that this is your email address.\n\n"
			  "Type this confirmation code on the page that you have open:\n\n"
			  "    {code}\n\n"
			  "or open this page and press the button there:\n\n"
			  "{link}\n\n"
			  "Both can be used for 24 hours.\n\n"
			  "If you did not ask for this mail, please ignore it. Nothing will change.\n")},
	[MAIL_GUARD] = {
		.name = "guard", .needs = "code", .may = "", .urgent = true,
		.subject = N_("Your confirmation code"),
		.body = N_("Your confirmation code is:\n\n"
			  "    {code}\n\n"
			  "Please type it on the login page within 10 minutes. Never tell it to anyone.\n\n"
			  "If you are not logging in just now, please ignore this mail, and change your password "
			  "soon.\n")},
	[MAIL_CODE] = {
		.name = "code", .needs = "code", .may = "", .urgent = true,
		.subject = N_("Your one-time code"),
		.body = N_("Your one-time code is:\n\n"
			  "    {code}\n\n"
			  "Please type it where you are logging in, within 10 minutes. Never tell it to anyone.\n\n"
			  "If you are not logging in just now, somebody knows your password: please ignore this mail, "
			  "and change your password soon.\n")},
	[MAIL_WAY_ADDED] = {
		.name = "way-added", .needs = "", .may = "name time", .urgent = false,
		.subject = N_("A way to log in was added"),
		.body = N_("A way to log in was added to your account: {name} ({time})\n\n"
			  "If this was not you, please contact us at once.\n")},
	[MAIL_WAY_REMOVED] = {
		.name = "way-removed", .needs = "", .may = "name time", .urgent = false,
		.subject = N_("A way to log in was removed"),
		.body = N_("A way to log in was removed from your account: {name} ({time})\n\n"
			  "If this was not you, please contact us at once.\n")},
	[MAIL_PASSWORD_CHANGED] = {
		.name = "password-changed", .needs = "", .may = "time", .urgent = false,
		.subject = N_("Your password was changed"),
		.body = N_("The password of your account was changed. ({time})\n\n"
			  "If this was not you, please contact us at once.\n")},
	[MAIL_RECOVERY_USED] = {
		.name = "recovery-used", .needs = "", .may = "left time", .urgent = false,
		.subject = N_("A recovery code was used"),
		.body = N_("A recovery code was used to log in to your account. ({time})\n"
			  "Recovery codes left: {left}\n\n"
			  "If this was not you, please contact us at once.\n")},
	[MAIL_SHEET] = {
		.name = "sheet", .needs = "", .may = "time", .urgent = false,
		.subject = N_("A new sheet of codes was made"),
		.body = N_("A new sheet of codes was made, to log in to your account with. ({time})\n"
			  "The codes of an older sheet are no longer valid.\n\n"
			  "If this was not you, please contact us at once.\n")},
	[MAIL_LOST] = {
		.name = "lost", .needs = "", .may = "name time", .urgent = false,
		.subject = N_("A lost device can no longer be used"),
		.body = N_("You told us that this device was lost, and it can no longer be used to log in: {name} ({time})\n\n"
			  "All other devices were logged out, and the old recovery codes are no longer valid.\n\n"
			  "If this was not you, please contact us at once.\n")},
	[MAIL_RECOVER_MADE] = {
		.name = "recover-made", .needs = "", .may = "time", .urgent = false,
		.subject = N_("A code to get back in was made for you"),
		.body = N_("The help desk made a one-time code for you, to get back in when nothing else helps. ({time})\n\n"
			  "It is not in this mail: you were told it, or will be. With your password and this code you register "
			  "anew how you log in. It is valid for 24 hours.\n\n"
			  "If you did not ask for it, please contact us at once.\n")},
	[MAIL_RECOVER_DONE] = {
		.name = "recover-done", .needs = "", .may = "time", .urgent = false,
		.subject = N_("How you log in was registered anew"),
		.body = N_("With the help desk's one-time code it was registered anew how you log in. ({time})\n\n"
			  "What was registered before can no longer be used, nor can the old recovery codes. All other "
			  "devices were logged out.\n\n"
			  "If this was not you, please contact us at once.\n")},
	[MAIL_RESET] = {
		.name = "reset", .needs = "code link", .may = "name", .urgent = true,
		.subject = N_("Your new password"),
		.body = N_("This mail is for: {name}\n\n"
			  "A new password was asked for, because the old one is forgotten.\n\n"
			  "Type this confirmation code on the page that you have open:\n\n"
			  "    {code}\n\n"
			  "or open this page in the same browser and press the button there:\n\n"
			  "{link}\n\n"
			  "Both can be used for 30 minutes. Never tell the code to anyone.\n\n"
			  "If you did not ask for this, please ignore this mail. Your password stays as it is.\n")},
	[MAIL_RESET_SHARED] = {
		.name = "reset-shared", .needs = "", .may = "name", .urgent = true,
		.subject = N_("Your new password"),
		.body = N_("This mail is for: {name}\n\n"
			  "A new password was asked for, because the old one is forgotten.\n\n"
			  "Several people use this email address. To keep each of them safe, we do not let a mail to "
			  "it alone change a password.\n\n"
			  "Please ask the help desk: they send you a new letter, or give you a code that can be used "
			  "once.\n\n"
			  "If you did not ask for this, please ignore this mail. Your password stays as it is.\n")},
	[MAIL_IDS] = {
		.name = "ids", .needs = "list", .may = "link", .urgent = true,
		.subject = N_("Your user ID"),
		.body = N_("You asked for your user ID. Here it is:\n\n"
			  "{list}\n"
			  "Log in here:\n\n"
			  "{link}\n\n"
			  "If you did not ask for this, please ignore this mail. Nothing has changed.\n")},
	[MAIL_TEST] = {
		.name = "test", .needs = "", .may = "time", .urgent = true,
		.subject = N_("Test mail"),
		.body = N_("This mail was sent to see whether mails arrive. ({time})\n"
			  "There is nothing to do.\n")},
	[MAIL_ADDRESS_FORMER] = {
		.name = "address-former", .needs = "link", .may = "time", .urgent = false,
		.subject = N_("Your email address was changed"),
		.body = N_("The email address of your account was changed. ({time})\n"
			  "This address is not used for it any more.\n\n"
			  "If this was you, there is nothing to do.\n\n"
			  "If this was not you, please open this page within 7 days and stop the account there:\n\n"
			  "{link}\n")},
	[MAIL_ADDRESS_NEW] = {
		.name = "address-new", .needs = "", .may = "time", .urgent = false,
		.subject = N_("This is now your email address"),
		.body = N_("This is now the email address of your account. ({time})\n"
			  "Codes and important notices come here from now on.\n\n"
			  "If this was not you, please contact us at once.\n")},
	[MAIL_FROZEN] = {
		.name = "account-stopped", .needs = "", .may = "time", .urgent = false,
		.subject = N_("Your account was stopped"),
		.body = N_("Your account was stopped: from its former email address we were told that somebody else had "
			  "changed the address. ({time})\n\n"
			  "Nobody can log in until we have looked into it. Please contact us.\n")},
	[MAIL_NEW_BROWSER] = {
		.name = "new-browser", .needs = "", .may = "address agent time", .urgent = false,
		.subject = N_("Login from a new browser"),
		.body = N_("Somebody logged in to your account with a browser that was not used for it before.\n\n"
			  "    Browser: {agent}\n"
			  "    Address: {address}\n"
			  "    Time: {time}\n\n"
			  "If this was you, there is nothing to do.\n\n"
			  "If this was not you, please change your password at once, and contact us.\n")},
	[MAIL_NEW_PLACE] = {
		.name = "new-address", .needs = "", .may = "address service time", .urgent = false,
		.subject = N_("Login from a new place"),
		.body = N_("Somebody logged in to your account at a terminal, from an address that was not used for it "
			  "before.\n\n"
			  "    Service: {service}\n"
			  "    Address: {address}\n"
			  "    Time: {time}\n\n"
			  "If this was you, there is nothing to do.\n\n"
			  "If this was not you, please change your password at once, and contact us.\n")},
	[MAIL_LANE_CLOSED] = {
		.name = "password-guessed", .needs = "", .may = "time", .urgent = false,
		.subject = N_("Your password was typed wrong many times"),
		.body = N_("A wrong password was typed for your account many times in a row. ({time})\n"
			  "For 24 hours nobody can log in to it from there.\n\n"
			  "You yourself can still log in, with a device that you have used before.\n\n"
			  "Your password was not found out. If it is short or easy to guess, please choose a longer "
			  "one.\n")},
	[MAIL_FACTOR_DISABLED] = {
		.name = "codes-disabled", .needs = "", .may = "name time", .urgent = false,
		.subject = N_("Codes are switched off"),
		.body = N_("Wrong codes were typed for your account many times in a row, after the right password. "
			  "({time})\n\n"
			  "Switched off until further notice: {name}\n\n"
			  "You can still log in with one of your recovery codes. That switches them on again. If you "
			  "have none, please contact us.\n\n"
			  "If it was not you who typed them, somebody knows your password: please change it.\n")},
	[MAIL_PASSKEY_COPY] = {
		.name = "passkey-copy", .needs = "", .may = "name time", .urgent = false,
		.subject = N_("Please check one of your passkeys"),
		.body = N_("With this passkey something was not as usual: {name} ({time})\n"
			  "It may be that somebody made a copy of the security key.\n\n"
			  "If you do not know why, please remove this passkey from your account and register another one,\n"
			  "or contact us.\n")},
	[MAIL_PASSKEY_STORED] = {
		.name = "passkey-stored", .needs = "", .may = "name where time", .urgent = false,
		.subject = N_("Where one of your passkeys is kept has changed"),
		.body = N_("This is about your passkey: {name} ({time})\n\n"
			  "{where}\n\n"
			  "You need not do anything if you have set this up on your device yourself.\n")},
	[MAIL_FACTOR_ENABLED] = {
		.name = "codes-enabled", .needs = "", .may = "name time", .urgent = false,
		.subject = N_("Codes are switched on again"),
		.body = N_("Switched on again: {name} ({time})\n\n"
			  "If this was not you, please contact us at once.\n")},
	[MAIL_REMIND] = {
		.name = "remind", .needs = "date", .may = "left name time url", .urgent = false,
		.subject = N_("Please finish setting up how you log in"),
		.body = N_("This mail is for: {name}\n\n"
			  "How you log in is not set up completely yet. Please finish by {date} ({left}).\n\n"
			  "Please open this page, log in, and go on where you stopped:\n\n"
			  "{url}\n\n"
			  "If you have never logged in yet: the user ID and the password are on the letter that you were "
			  "sent.\n\n"
			  "After {date} you cannot log in any more until you have contacted us.\n\n"
			  "If you have finished meanwhile, there is nothing to do.\n")},
	[MAIL_REMIND_LETTER] = {
		.name = "remind-letter", .needs = "date", .may = "left name time url", .urgent = false,
		.subject = N_("Please use the password on your letter soon"),
		.body = N_("This mail is for: {name}\n\n"
			  "You were sent a letter with a user ID and a password. That password can be used until {date} "
			  "({left}).\n\n"
			  "Please have the letter at hand, open this page, log in, and choose a password of your own:\n\n"
			  "{url}\n\n"
			  "After {date} you need a new letter.\n\n"
			  "If you have done this meanwhile, there is nothing to do.\n")},
};
/* clang-format on */
