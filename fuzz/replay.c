/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target once over each file of the folders given: the corpus as an ordinary test,
 * with any compiler and sanitizer. Also fed are all prefixes of small files, for parsers break
 * where input ends.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20, PREFIXES_BELOW = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly `size` bytes, so that a sanitizer sees the first byte read beyond. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size != 0 ? size : 1);
    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(FILE_MAX);
    size_t size = file != NULL && data != NULL ? fread(data, 1, FILE_MAX, file) : 0;
    int failed = file == NULL || data == NULL || ferror(file);

    if (failed) {
        fprintf(stderr, "cannot read %s\n", path);
    } else {
        run(data, size);
        for (size_t prefix = 0; size < PREFIXES_BELOW && prefix < size; prefix++)
            run(data, prefix);
    }
    if (file != NULL)
        fclose(file);
    free(data);
    return failed;
}

static int replay_folder(const char *folder, unsigned *count)
{
    char path[4096];
    int failed = 0;
    DIR *directory = opendir(folder);

    if (directory == NULL) {
        fprintf(stderr, "cannot read the folder %s\n", folder);
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        failed |= replay_file(path);
        ++*count;
    }
    closedir(directory);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    unsigned count = 0;

    for (int i = 1; i < argc; i++)
        failed |= replay_folder(argv[i], &count);
    printf("%u files\n", count);
    return failed || count == 0;
}
