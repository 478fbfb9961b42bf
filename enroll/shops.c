#include "config.h"

#include "enroll/shops.h"
#include <stddef.h>

/* https, and neither itms-apps: nor market: such an address opens the shop's own app where there is one, and says
 * something sensible everywhere else. */
const struct shop shops[] = {
    {"shop.google-apple", "shop.google-apple.qr", "shop-google-apple.png", "https://apps.apple.com/app/id388497605"},
    {"shop.google-android", "shop.google-android.qr", "shop-google-android.png",
     "https://play.google.com/store/apps/details?id=com.google.android.apps.authenticator2"},
    {"shop.microsoft-apple", "shop.microsoft-apple.qr", "shop-microsoft-apple.png",
     "https://apps.apple.com/app/id983156458"},
    {"shop.microsoft-android", "shop.microsoft-android.qr", "shop-microsoft-android.png",
     "https://play.google.com/store/apps/details?id=com.azure.authenticator"},
    {NULL, NULL, NULL, NULL},
};
