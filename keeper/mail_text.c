#include "config.h"

#include "common/i18n.h"
#include "keeper/mail_text.h"

/* clang-format off */
const struct mail_text_row mail_texts[MAIL_TEXTS] = {
	[MAIL_VERIFY] = {
		.name = "verify", .needs = "code link", .may = "", .urgent = true,
		.subject = N_("Please confirm your e-mail address"),
		.body = N_("Please confirm that this is your e-mail address.\n\n"
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
	[MAIL_APP_ADDED] = {
		.name = "app-added", .needs = "", .may = "name time", .urgent = false,
		.subject = N_("An authenticator app was added"),
		.body = N_("An authenticator app was added to your account: {name} ({time})\n\n"
			  "If this was not you, please contact us at once.\n")},
	[MAIL_APP_REMOVED] = {
		.name = "app-removed", .needs = "", .may = "name time", .urgent = false,
		.subject = N_("An authenticator app was removed"),
		.body = N_("An authenticator app was removed from your account: {name} ({time})\n\n"
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
};
/* clang-format on */
