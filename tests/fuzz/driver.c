/* SPDX-License-Identifier: MPL-2.0 */
/* Runs a fuzz target over every file of a folder, each also cut at many lengths, so that the corpus is a plain test. */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void run(const uint8_t *p, size_t n)
{
	/* A copy of exactly that size: a sanitizer sees the byte behind it. */
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, p, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

int main(int argc, char **argv)
{
	static uint8_t text[1 << 20];
	int files = 0;
	DIR *d = argc == 2 ? opendir(argv[1]) : NULL;

	if (!d) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	for (struct dirent *f; (f = readdir(d));) {
		char path[4096];
		size_t n, step;
		FILE *in;

		snprintf(path, sizeof path, "%s/%s", argv[1], f->d_name);
		if (f->d_name[0] == '.' || !(in = fopen(path, "r")))
			continue;
		n = fread(text, 1, sizeof text, in);
		fclose(in);
		files++;
		run(text, n);
		step = n / 256 + 1;
		for (size_t cut = 0; cut < n; cut += step) {
			uint8_t old = text[cut];

			run(text, cut);
			text[cut] ^= 0x20;
			run(text, n);
			text[cut] = old;
		}
	}
	closedir(d);
	printf("%d files\n", files);
	return files ? 0 : 1;
}
