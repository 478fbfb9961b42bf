#include "config.h"

#include "common/i18n.h"
#include "keeper/method.h"

const struct method methods[] = {
    {FACTOR_PASSKEY, "passkey", "/passkey", passkey_begin, N_("Face, fingerprint or PIN of your device (passkey)"),
     N_("You look at the phone or computer, or touch its sensor, and you are in: nothing to type and nothing to "
	"remember. The safest way."),
     N_("One more thing: register this device now. It takes about 1 minute."),
     N_("After that you log in by looking at the device or touching it, as when you unlock it."),
     N_("Register this device now"),
     N_("It will no longer be accepted here. On the device itself you can delete it in the settings for passkeys.")},
    {FACTOR_TOTP, "app", "/app", app_prepare, N_("Authenticator app"),
     N_("A free app on your phone or computer shows 6 digits. You type them after your password."),
     N_("One more thing: register the authenticator app now. It takes about 3 minutes."),
     N_("After that you log in with your password and the digits from the app."), N_("Register the app now"),
     N_("Its digits will no longer be accepted here. The app itself stays on your phone.")},
    {FACTOR_MAILCODE, "mail", "/mailcode", mailcode_begin, N_("Codes by email"),
     N_("Each time you log in we mail you 6 digits. It is simple, but the least safe of the ways; you can add a better "
	"one "
	"later."),
     N_("One more thing: we mail a code to your address, and you type it. It takes about 1 minute."),
     N_("After that you log in with your password and a code that we mail to you each time."), N_("Mail me a code now"),
     N_("We will no longer mail you codes to log in with. Your email address stays as it is.")},
    {FACTOR_RECOVERY, "sheet", "/sheet", sheet_prepare, N_("A sheet of codes on paper"),
     N_("You print or write down 10 codes. Each time you log in you type the next one and cross it out."),
     N_("One more thing: make your sheet of codes now. You need a printer, or paper and a pen."),
     N_("After that you log in with your password and the next code of the sheet."), N_("Make the sheet now"),
     N_("You will no longer log in with the sheet. The codes that are left stay good as recovery codes.")},
    {FACTOR_NONE, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

const struct method *method_of(enum factor_kind kind)
{
	for (const struct method *m = methods; m->kind != FACTOR_NONE; m++)
		if (m->kind == kind)
			return m;
	return methods;
}

void method_view(struct call *c, size_t i, const struct method *m)
{
	view_item(c, "methods", i, "id", m->id);
	view_item(c, "methods", i, "title", T(c, m->title));
	view_item(c, "methods", i, "text", T(c, m->text));
	view_item(c, "methods", i, "recommended", i == 0 ? "1" : "");
	view_item(c, "methods", i, m->id, "1");
}
