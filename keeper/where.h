/* Which help stands first on a page: where somebody is, by what the browser says of itself, and where the app is to be.
 */
#ifndef KOSMO_WHERE_H
#define KOSMO_WHERE_H

#include "keeper/call.h"

/* on_SYSTEM (on_unknown), on_phone and in_BROWSER (keeper/agent.h), shop_apple and shop_android: whose shop has apps
 * for it (both where that is not known). */
void where_view(struct call *c);
/* The same for the page of an authenticator app, and one of: here (the app is to be on this phone), scan (on a phone,
 * and this is another screen), computer (in this browser). As field `on` says, else as the browser does; on: which. */
void where_app_view(struct call *c);

#endif
