/* SPDX-License-Identifier: MIT */
/*
 * The options of a process, made from the one table options.def. A value may come from four
 * places; the strongest that speaks wins, in whatever order they are read:
 *
 *     flag  >  environment  >  file  >  default
 *
 * and where it came from is kept. The environment is read through the caller's function only.
 */
#ifndef LC_OPTIONS_H
#define LC_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/host.h"
#include "base/str.h"
#include "config/pool.h"
#include "llmgr.h"

struct lc_file;

typedef enum lc_type {
    LC_STRING,
    LC_URL,
    LC_BOOL,
    LC_INT,
    LC_SIZE,
    LC_DURATION,
    LC_ENUM,
    LC_LIST,
    LC_ARGV,
    LC_SECRET
} lc_type;

/* XX(NAME, heading of the help) */
#define LC_SECTION_MAP(XX)                                                                         \
    XX(GLOBAL, N_("Global options"))                                                               \
    XX(DATABASE, N_("Database"))                                                                   \
    XX(MANAGER, N_("What users may do"))                                                           \
    XX(SECRETS, N_("Secrets"))                                                                     \
    XX(NETWORK, N_("Connections to platforms"))                                                    \
    XX(SERVE, N_("The gateway (llmgr serve)"))

typedef enum lc_section {
#define LC_SECTION_ENUM(name, heading) LC_SECTION_##name,
    LC_SECTION_MAP(LC_SECTION_ENUM)
#undef LC_SECTION_ENUM
        LC_SECTION_COUNT
} lc_section;

/* What a running server does with a value that has changed, when it reads its file anew. */
typedef enum lc_reload {
    LC_RELOAD_LIVE, /* it takes it over */
    LC_RELOAD_START /* it goes on with the old one, and says so */
} lc_reload;

/* Where a value came from, weakest first. */
typedef enum lc_origin { LC_FROM_DEFAULT, LC_FROM_FILE, LC_FROM_ENV, LC_FROM_FLAG } lc_origin;

typedef enum lc_option_id {
#define LC_OPTION(member, ...) LC_OPT_##member,
#include "config/options.def"
    LC_OPTION_COUNT
} lc_option_id;

/* One row of the table; for help, manual page, completion and messages. */
struct lc_option_row {
    lc_option_id id;
    lc_type type;
    lc_section section;
    lc_reload reload;
    char short_flag;       /* 0: none */
    const char *key;       /* in the file; NULL: not there */
    const char *env;       /* NULL: not there */
    const char *other_env; /* comma separated, or NULL */
    const char *flag;      /* with its dashes; NULL: not there */
    const char *label;     /* NULL: a switch */
    const char *fallback;  /* the default as text; NULL: not set */
    int64_t min;
    int64_t max;
    const char *choices; /* separated by '|', or NULL */
    const char *help;    /* msgid */
};

struct lc_list {
    const char *const *items; /* ends with NULL; never NULL itself */
    size_t count;
};

#define LC_MEMBER_STRING const char * /* NULL: not set */
#define LC_MEMBER_URL const char *
#define LC_MEMBER_BOOL bool
#define LC_MEMBER_INT int64_t
#define LC_MEMBER_SIZE int64_t
#define LC_MEMBER_DURATION int64_t
#define LC_MEMBER_ENUM int /* index into the choices: llmgr_mode, llmgr_log_level */
#define LC_MEMBER_LIST struct lc_list
#define LC_MEMBER_ARGV struct lc_list
#define LC_MEMBER_SECRET bool /* it is in the environment; the value is never copied here */

struct lc_options {
#define LC_OPTION(member, type, ...) LC_MEMBER_##type member;
#include "config/options.def"
    lc_origin origin[LC_OPTION_COUNT];
    unsigned line[LC_OPTION_COUNT];      /* in the file, for LC_FROM_FILE */
    const char *source[LC_OPTION_COUNT]; /* variable or file name; NULL for others */
    struct lc_pool pool;                 /* owns the texts */
};

/* All defaults. LLMGR_ERR_NO_MEMORY is the only failure; free it anyway. */
LLMGR_MUST_CHECK llmgr_status lc_options_init(struct lc_options *options,
                                              const struct lb_host *host, struct llmgr_error *err);
void lc_options_free(struct lc_options *options);

/*
 * Sets one option from text; a stronger origin set before is kept (and the text checked all the
 * same). `source` names it in errors ("--db", "LLMGR_DB"); borrowed for the call. A NULL text of a
 * BOOL means true. LLMGR_ERR_INVALID (LLMGR_ERR_CONFIG for LC_FROM_FILE) names option and remedy.
 */
LLMGR_MUST_CHECK llmgr_status lc_options_set(struct lc_options *options, lc_option_id id,
                                             lc_origin origin, const char *source, const char *text,
                                             struct llmgr_error *err);
/* Everything the environment says, an empty variable counting as none. */
LLMGR_MUST_CHECK llmgr_status lc_options_env(struct lc_options *options, llmgr_env_fn env,
                                             void *context, struct llmgr_error *err);
/* The variable of others (other_env) that a value was inherited from; NULL: it was set for us. */
const char *lc_option_inherited(const struct lc_options *options, lc_option_id id);
/* Everything the file says. */
LLMGR_MUST_CHECK llmgr_status lc_options_file(struct lc_options *options,
                                              const struct lc_file *file, struct llmgr_error *err);

/* ---- The table ------------------------------------------------------------------------------- */

/* All rows, in the table's order: rows[id] is row `id`. */
const struct lc_option_row *lc_option_rows(size_t *count);
/* The row with this flag ("--db"), short flag, or file key; NULL if there is none. */
const struct lc_option_row *lc_option_by_flag(struct lb_str flag);
const struct lc_option_row *lc_option_by_short(char flag);
const struct lc_option_row *lc_option_by_key(struct lb_str key);
/* The file key or the flag that resembles `wrong` most, or NULL: "did you mean ...?" */
const char *lc_option_nearest_key(struct lb_str wrong);
const char *lc_option_nearest_flag(struct lb_str wrong);
/* Is the value in effect another one? Of secrets and of passwords in URLs nothing is known. */
bool lc_option_differs(const struct lc_options *one, const struct lc_options *other,
                       lc_option_id id);
/* Heading of a section: a msgid. */
const char *lc_section_heading(lc_section section);

/* ---- Showing --------------------------------------------------------------------------------- */

/* The value in effect as text; passwords in URLs are replaced by "***", a SECRET by "(set)". */
void lc_option_text(const struct lc_options *options, lc_option_id id, struct lb_buf *out);
/* "default", "file llmgr.yaml:12", "environment LLMGR_DB", "flag --db" (English, not translated).
 */
void lc_option_origin_text(const struct lc_options *options, lc_option_id id, struct lb_buf *out);

/*
 * Help for a section's options, wrapped at `columns`: with `all` each option with its names in
 * environment and file and its default, otherwise only those that have a flag. Translated.
 */
void lc_help(lc_section section, bool all, unsigned columns, struct lb_buf *out);
/*
 * Appends `text` and a line end, broken at blanks (and beside Chinese characters) before column
 * `columns`; the first line goes on at column `indent`, where the others begin.
 */
void lc_wrap(struct lb_buf *out, struct lb_str text, size_t indent, size_t columns);

#endif
