#include "config.h"

#include "enroll/qr.h"
#include "tests/unit/unit.h"
#include <png.h>

struct picture {
	uint8_t *px; /* 0 black, 255 white, one byte a pixel */
	unsigned side;
};

static struct picture picture_of(const struct buf *b)
{
	png_image image = {.version = PNG_IMAGE_VERSION};
	struct picture p;

	assert_true(png_image_begin_read_from_memory(&image, b->data, b->len));
	assert_int_equal(image.width, image.height);
	assert_false(image.format & PNG_FORMAT_FLAG_ALPHA);
	assert_false(image.format & PNG_FORMAT_FLAG_COLOR);
	image.format = PNG_FORMAT_GRAY;
	p.side = image.width;
	p.px = malloc(PNG_IMAGE_SIZE(image));
	assert_true(png_image_finish_read(&image, NULL, p.px, 0, NULL));
	return p;
}

/* Quiet zone, size of a module, pure black and white; zbarimg reads it in tests/web. */
static void draws(void **state)
{
	static const char *const texts[] = {
	    "a", "otpauth://totp/Org:hanako?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Org"};

	(void)state;
	for (size_t t = 0; t < COUNT(texts); t++) {
		AUTO_BUF b = BUF_INIT;
		struct picture p;
		unsigned quiet = 0, finder = 0, row;

		assert_int_equal(qr_png(texts[t], &b), ERR_NONE);
		p = picture_of(&b);
		for (unsigned i = 0; i < p.side * p.side; i++)
			assert_true(p.px[i] == 0 || p.px[i] == 255);
		while (quiet < p.side && p.px[quiet * p.side + quiet] == 255)
			quiet++;
		row = quiet * p.side;
		while (p.px[row + quiet + finder] == 0)
			finder++;
		assert_int_equal(finder % 7, 0); /* the finder pattern is seven modules wide */
		assert_true(finder / 7 >= QR_MODULE);
		assert_int_equal(quiet, QR_QUIET * (finder / 7));
		for (unsigned i = 0; i < p.side; i++)
			assert_int_equal(p.px[(p.side - quiet) * p.side + i], 255);
		free(p.px);
	}
}

static void refuses_what_does_not_fit(void **state)
{
	AUTO_BUF b = BUF_INIT;
	char text[4096];

	(void)state;
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_int_equal(qr_png(text, &b), ERR_TOOBIG);
	assert_int_equal(b.len, 0);
	assert_int_not_equal(qr_png("", &b), ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(draws),
	    cmocka_unit_test(refuses_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
