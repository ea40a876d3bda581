/* SPDX-License-Identifier: MIT */
/*
 * The master key (KEK): 32 bytes that wrap the data keys and live outside of the database. Four
 * sources, in the order an operator should prefer them: a systemd credential, a file, a command,
 * a value the host gives (which it has from its environment, and wipes there).
 *
 * The text of a key, in every source: 64 hex digits, or base64 (standard or URL alphabet, padded
 * or not) of 32 bytes, and at most one line end. Refused with LLMGR_ERR_VAULT and one line that
 * names the source and the remedy, never the value: missing, empty, wrong size, bad encoding, a
 * key that is no random number (all bytes equal, a short pattern repeated, a sequence, a known
 * default, the example of the documentation), and a file that others may read.
 */
#ifndef LV_MASTER_H
#define LV_MASTER_H

#include <stdbool.h>

#include "base/str.h"
#include "llmgr.h"

enum {
    LV_MASTER_SIZE = 32,
    LV_MASTER_ID_SIZE = 9,              /* 8 hex digits and a NUL */
    LV_MASTER_COMMAND_MS = 10000,       /* a command's time */
    LV_MASTER_COMMAND_OUTPUT_MAX = 4096 /* bytes a command may print */
};

/* The example that the documentation shows; as a key it is refused. */
#define LV_MASTER_EXAMPLE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct lv_master {
    unsigned char bytes[LV_MASTER_SIZE]; /* wiped by lv_master_clear */
};

void lv_master_clear(struct lv_master *master);

/*
 * A short keyed digest of the key, 8 hex digits: safe to show, equal for equal keys. `id` receives
 * LV_MASTER_ID_SIZE bytes.
 */
void lv_master_id(const struct lv_master *master, char *id);

/*
 * Each fills *master on success only.
 *
 * From a file: a regular file of the effective user or root, with no permission for group and
 * others (root's file may be readable for a group if we are not root), in a folder that not
 * everybody may write. A symbolic link is followed, and its target judged. LLMGR_ERR_NOT_FOUND if
 * there is no such file, so that a first run can tell.
 */
LLMGR_MUST_CHECK llmgr_status lv_master_from_file(const char *path, struct lv_master *master,
                                                  struct llmgr_error *err);
/*
 * From the file `name` in the directory systemd passes in $CREDENTIALS_DIRECTORY, which the caller
 * read. Mode 0400 or 0440, owned by root or the effective user. LLMGR_ERR_NOT_FOUND if absent.
 */
LLMGR_MUST_CHECK llmgr_status lv_master_from_credential(const char *directory, const char *name,
                                                        struct lv_master *master,
                                                        struct llmgr_error *err);
/*
 * From the standard output of a program: `argv` ends with NULL, argv[0] is looked up in PATH, no
 * shell. Its input is empty, its stderr ours, its environment ours. It and its process group are
 * killed when it overruns LV_MASTER_COMMAND_MS or LV_MASTER_COMMAND_OUTPUT_MAX; an exit code other
 * than 0 is a refusal. Blocks.
 */
LLMGR_MUST_CHECK llmgr_status lv_master_from_command(const char *const *argv,
                                                     struct lv_master *master,
                                                     struct llmgr_error *err);
/* From a value the caller holds and wipes; `source` names it in errors ("LLMGR_MASTER_KEY"). */
LLMGR_MUST_CHECK llmgr_status lv_master_from_text(struct lb_str text, const char *source,
                                                  struct lv_master *master,
                                                  struct llmgr_error *err);

/* A new random key. */
void lv_master_generate(struct lv_master *master);
/*
 * First run: makes a random key and stores it in `path` (mode 0600, whole or not at all, durable;
 * a missing parent directory is made with 0700), or reads the key that is there already - also if
 * another process was faster. Nothing is ever overwritten. *created (may be NULL) tells which.
 */
LLMGR_MUST_CHECK llmgr_status lv_master_create_file(const char *path, struct lv_master *master,
                                                    bool *created, struct llmgr_error *err);
/*
 * Takes back a file that lv_master_create_file has just made, for a database that turned out to
 * have a key already: left there, it would be taken for that key.
 */
void lv_master_take_back(const char *path);
/*
 * Stores a key (of a rotation) in a file that must not exist yet: LLMGR_ERR_CONFLICT if it does.
 * Otherwise as lv_master_create_file.
 */
LLMGR_MUST_CHECK llmgr_status lv_master_store_file(const char *path, const struct lv_master *master,
                                                   struct llmgr_error *err);

#endif
