/* SPDX-License-Identifier: MIT */
/*
 * llmgr.h - the public face of libllmgr, and its manual.
 *
 * llmgr decides which model, at which address, with whose key serves a user, and talks to that
 * model. Open a handle on a database (llmgr_open), synchronise the administrator's platforms
 * (llmgr_sync), then ask for a user's LLM (llmgr_llm_for_user) and talk to it (llmgr_llm_invoke,
 * llmgr_llm_stream).
 *
 * Conventions, which hold for every function unless its own text says otherwise:
 *
 *   Errors     A function that can fail returns an llmgr_status. 0 (LLMGR_OK) is success. The last
 *              parameter `err` may be NULL; if given, it is filled on failure and untouched on
 *              success. Out-parameters are untouched on failure.
 *   Strings    UTF-8, NUL-terminated. Input strings are borrowed for the call only.
 *   Ownership  `new`/`open` hand over an object that its `free`/`close` ends; `free` accepts NULL.
 *              Structures filled by a call belong to the caller and are ended by their own `clear`
 *              or `free` function. Pointers inside them live as long as the structure.
 *   Threads    A handle (struct llmgr) may be used by many threads at once. An LLM (struct
 *              llmgr_llm) serves one call at a time, save llmgr_llm_cancel, which any thread may
 *              call. Nothing here keeps global or thread-local state.
 *   Users      A user is an opaque id of 1 to 255 bytes chosen by the host. NULL means the system
 *              user LLMGR_SYSTEM_USER.
 *   Side       The library prints nothing, never exits, installs no signal handler and reads no
 *   effects    environment variable; what it needs to know stands in struct llmgr_options.
 */
#ifndef LLMGR_H
#define LLMGR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LLMGR_MUST_CHECK __attribute__((warn_unused_result))
#define LLMGR_API __attribute__((visibility("default")))
#else
#define LLMGR_MUST_CHECK
#define LLMGR_API
#endif

#define LLMGR_VERSION_MAJOR 0
#define LLMGR_VERSION_MINOR 1
#define LLMGR_VERSION_PATCH 0
#define LLMGR_VERSION_STRING "0.1.0"

/* ---- Status ---------------------------------------------------------------------------------- */

/*
 * Every outcome the library knows: XX(name, number, http_status, exit_code, text).
 * `http_status` is what the gateway answers, `exit_code` how the command line ends. Numbers are
 * part of the ABI: never reused, never renumbered. From 70 on stand limits of this gateway: what a
 * platform limits is ERR_RATE_LIMITED.
 */
#define LLMGR_STATUS_MAP(XX)                                                                       \
    XX(OK, 0, 200, 0, "success")                                                                   \
    XX(ERR_INVALID, 1, 400, 2, "invalid value")                                                    \
    XX(ERR_TOO_LARGE, 2, 413, 2, "value or message over its limit")                                \
    XX(ERR_CONFIG, 3, 500, 2, "invalid configuration")                                             \
    XX(ERR_NOT_FOUND, 10, 404, 3, "not found")                                                     \
    XX(ERR_FORBIDDEN, 11, 403, 4, "not allowed")                                                   \
    XX(ERR_MODE, 12, 403, 4, "not allowed in this mode")                                           \
    XX(ERR_ADDRESS, 13, 403, 4, "address refused by policy")                                       \
    XX(ERR_UNAUTHORIZED, 14, 401, 4, "caller not identified")                                      \
    XX(ERR_LOOP, 15, 508, 8, "the request goes round in a circle")                                 \
    XX(ERR_CONFLICT, 20, 409, 5, "conflict with an existing object")                               \
    XX(ERR_NO_KEY, 30, 403, 6, "no usable API key")                                                \
    XX(ERR_KEY_REFUSED, 40, 502, 7, "the upstream refused the API key")                            \
    XX(ERR_UPSTREAM, 41, 502, 8, "the upstream answered with an error")                            \
    XX(ERR_RATE_LIMITED, 42, 429, 8, "the upstream limits the rate")                               \
    XX(ERR_UNREACHABLE, 43, 502, 8, "the upstream cannot be reached")                              \
    XX(ERR_PROTOCOL, 44, 502, 8, "the upstream's answer is not understood")                        \
    XX(ERR_TIMEOUT, 45, 504, 8, "the upstream took too long")                                      \
    XX(ERR_CUT, 46, 502, 8, "the upstream's answer ended too early")                               \
    XX(ERR_NO_LIST, 47, 502, 8, "the upstream has no model list")                                  \
    XX(ERR_TLS, 48, 502, 8, "the upstream's certificate or TLS handshake is not acceptable")       \
    XX(ERR_DATABASE, 50, 503, 9, "database error")                                                 \
    XX(ERR_DATABASE_BUSY, 51, 503, 9, "database locked")                                           \
    XX(ERR_DATABASE_READONLY, 52, 503, 9, "database is read-only")                                 \
    XX(ERR_DATABASE_FULL, 53, 507, 9, "no space left for the database")                            \
    XX(ERR_DATABASE_NEWER, 54, 500, 9, "database written by a newer version")                      \
    XX(ERR_VAULT, 55, 500, 9, "secret store error")                                                \
    XX(ERR_CANCELLED, 60, 499, 1, "cancelled")                                                     \
    XX(ERR_NO_MEMORY, 61, 503, 1, "out of memory")                                                 \
    XX(ERR_IO, 62, 500, 1, "input or output failed")                                               \
    XX(ERR_INTERNAL, 63, 500, 1, "internal error")                                                 \
    XX(ERR_LIMIT, 70, 429, 10, "a limit of this server is reached")                                \
    XX(ERR_OVERLOADED, 71, 503, 10, "this server has no room for more at the moment")              \
    XX(ERR_JOURNAL_FULL, 72, 507, 10, "usage cannot be recorded: the journal is full")             \
    XX(ERR_TOO_SLOW, 73, 408, 10, "the request did not arrive in time")

typedef enum llmgr_status {
#define LLMGR_STATUS_ENUM(name, number, http, exit_code, text) LLMGR_##name = number,
    LLMGR_STATUS_MAP(LLMGR_STATUS_ENUM)
#undef LLMGR_STATUS_ENUM
} llmgr_status;

/* A stable name such as "ERR_NOT_FOUND"; "ERR_UNKNOWN" for a number that is no status. */
LLMGR_API const char *llmgr_status_name(llmgr_status status);
/* A short English text such as "not found"; "unknown status" for a number that is no status. */
LLMGR_API const char *llmgr_status_text(llmgr_status status);
/* The HTTP status (100-599) the gateway answers with; 500 for a number that is no status. */
LLMGR_API int llmgr_status_http(llmgr_status status);
/* The exit code of the command line; 1 for a number that is no status. */
LLMGR_API int llmgr_status_exit(llmgr_status status);

/*
 * What went wrong, in words for people: names the thing and says what to do. Never holds a secret.
 * Initialise with {0}. The text follows the host's locale (gettext domain "llmgr") if the host
 * set one and bound the catalogue; English otherwise.
 */
struct llmgr_error {
    llmgr_status status;
    int upstream_status;    /* HTTP status the upstream answered with; 0 if none */
    int64_t retry_after_ms; /* how long the upstream asked to wait; -1 or 0 if it did not */
    char message[512];      /* UTF-8, NUL-terminated, cut at a character boundary */
};

/* ---- What the host may supply ---------------------------------------------------------------- */

/*
 * Memory for everything the library itself allocates (its third-party libraries use the C
 * library's allocator). All three functions must be given, must be thread-safe, and follow
 * malloc(3), realloc(3), free(3); `context` is handed back on each call.
 */
struct llmgr_allocator {
    void *(*alloc)(size_t size, void *context);
    void *(*realloc)(void *p, size_t size, void *context);
    void (*free)(void *p, void *context);
    void *context;
};

typedef enum llmgr_log_level {
    LLMGR_LOG_ERROR = 0,
    LLMGR_LOG_WARN = 1,
    LLMGR_LOG_INFO = 2,
    LLMGR_LOG_DEBUG = 3
} llmgr_log_level;

/*
 * Receives one event: `text` is one line of English without a line break and without secrets,
 * valid during the call. Called from any thread, never with a lock of the library held that the
 * host could need.
 */
typedef void (*llmgr_log_fn)(llmgr_log_level level, const char *text, void *context);

/* Wall-clock time in milliseconds since 1970-01-01T00:00:00Z. Must be thread-safe. */
typedef int64_t (*llmgr_clock_fn)(void *context);

#define LLMGR_SYSTEM_USER "-1"
#define LLMGR_SLOT_MAIN "main"

/* ---- The handle ------------------------------------------------------------------------------ */

struct llmgr;        /* an open manager: database, secrets, caches, connections */
struct llmgr_llm;    /* one user's LLM: a resolved platform, model and key */
struct llmgr_config; /* a configuration file that was read and checked */

/* What users may do: XX(NAME, number, "name"). */
#define LLMGR_MODE_MAP(XX)                                                                         \
    XX(SINGLE, 0, "single") /* every request is the system user's */                               \
    XX(FIXED, 1, "fixed") /* users see system platforms only; they may store own keys for them */  \
    XX(CUSTOM, 2, "custom") /* users also own private platforms and models */

typedef enum llmgr_mode {
#define LLMGR_MODE_ENUM(name, number, text) LLMGR_MODE_##name = number,
    LLMGR_MODE_MAP(LLMGR_MODE_ENUM)
#undef LLMGR_MODE_ENUM
} llmgr_mode;

/*
 * What a manager is opened with. Fill with llmgr_options_init, then change what differs; `size`
 * lets the structure grow. All pointers are borrowed for llmgr_open only. A 0 or NULL that is not
 * mentioned means the default that llmgr_options_init set.
 */
struct llmgr_options {
    size_t size; /* sizeof(struct llmgr_options), set by llmgr_options_init */

    const char *database;     /* "sqlite:PATH", a bare path, or "postgres://USER@HOST/NAME" */
    unsigned pool_size;       /* database connections besides SQLite's writer */
    unsigned busy_timeout_ms; /* how long a locked database is waited for */
    bool read_only;           /* refuse every change, also migration and repair */
    bool refuse_migration;    /* fail on an older schema rather than migrate it */

    llmgr_mode mode;
    bool auto_key; /* may a user without an own key use the server key? */

    /* The master key that wraps the data keys; the first one given counts (docs/OPERATING.md). */
    const char *master_key_file;           /* 64 hex digits or base64; mode 0600 */
    bool master_key_create;                /* make the file if it is missing */
    const char *const *master_key_command; /* NULL-terminated argv whose output is the key */
    const char *master_key;                /* the key itself, as in the file; wipe your copy */
    bool
        without_keys; /* ask for no master key: stored API keys can be neither used nor changed, and
                         a database of an older schema is refused; tokens and usage need no more */

    /* Where private platforms may be; system platforms may be anywhere. */
    const char *const *allow_cidrs; /* NULL-terminated: "10.0.0.0/8" … besides public addresses */
    const char *const *allow_ports; /* NULL-terminated: "8443" … besides 443; "*": every port */
    bool allow_http;                /* private platforms may use http:// */
    const char *const *public_urls; /* NULL-terminated: where a gateway on this database is reached;
                                       no platform may be there */

    const char *https_proxy; /* "[http://][USER:PASSWORD@]HOST:PORT", used by CONNECT; NULL: none */
    const char *no_proxy;    /* names, suffixes, patterns, CIDRs or "*" that bypass it, by commas */
    /*
     * The variable that each was inherited from, if it was made for other programs (HTTPS_PROXY):
     * then what is wrong in it fails only the calls that need it. NULL: it was set for this one.
     */
    const char *https_proxy_from;
    const char *no_proxy_from;
    const char *ca_file; /* PEM certificates trusted besides the system's; NULL: none */

    int64_t connect_timeout_ms;    /* resolve, connect, proxy and TLS together */
    int64_t first_byte_timeout_ms; /* request sent to first byte of the answer */
    int64_t idle_timeout_ms;       /* between two reads of a running answer */
    int64_t total_timeout_ms;      /* whole exchange; 0: no limit */

    /*
     * Of a call with more than one candidate (llmgr_llm_stream): what comes of a stream is held
     * until its first text, reasoning or tool call, as long, as many events and as many bytes as
     * this; a target's own first_byte_timeout goes first.
     */
    int64_t first_content_timeout_ms;
    uint64_t window_events;
    size_t window_max;

    size_t cache_size; /* bytes for what is known of users; in the gateway also of tokens in use */

    const struct llmgr_allocator *allocator; /* NULL: the C library's */
    llmgr_log_fn log;                        /* NULL: nothing is logged */
    void *log_context;
    llmgr_log_level log_level;
    llmgr_clock_fn clock; /* NULL: the system's */
    void *clock_context;
};

LLMGR_API void llmgr_options_init(struct llmgr_options *options);

/*
 * Opens the database (creating it if it is absent), migrates its schema, obtains the master key
 * and loads the catalogue. Errors: ERR_DATABASE… (file, server, schema), ERR_VAULT (master key
 * missing, wrong or a known default), ERR_INVALID (an option), ERR_NO_MEMORY.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_open(const struct llmgr_options *options,
                                                   struct llmgr **manager, struct llmgr_error *err);

/* Ends the handle. No other call on it may be running; its LLMs must have been freed. */
LLMGR_API void llmgr_close(struct llmgr *manager);

/* "0.1.0", of the library that is running (the header's is LLMGR_VERSION_STRING). */
LLMGR_API const char *llmgr_version(void);

/* Overwrites memory that held a secret; never optimised away. */
LLMGR_API void llmgr_wipe(void *p, size_t size);

/* ---- Configuration and synchronisation ------------------------------------------------------- */

/* Looks up one environment variable: its value, borrowed until the next call, or NULL. */
typedef const char *(*llmgr_env_fn)(const char *name, void *context);

struct llmgr_config_source {
    size_t size;             /* sizeof(struct llmgr_config_source) */
    const char *path;        /* the YAML file; NULL: use `text` */
    const char *text;        /* YAML (or JSON, which is YAML) in memory */
    size_t text_size;        /* bytes */
    const char *dotenv_path; /* a .env file beside it; NULL: none; a missing file is fine */
    llmgr_env_fn env;        /* the environment for {NAME} placeholders; NULL: empty */
    void *env_context;
    const struct llmgr_allocator *allocator; /* NULL: the C library's */
    bool env_options; /* LLMGR_… of `env` set options too, over the file; not from dotenv_path */
    bool legacy;      /* the file is the Python original's: its top level is the platforms */
};

/*
 * Reads llmgr.yaml (or text of the same form): options and the list of system platforms with
 * {NAME} placeholders filled from the environment, then the .env file. Without path and text the
 * configuration is empty. Errors: ERR_CONFIG with file, line and remedy; ERR_NOT_FOUND; ERR_IO;
 * ERR_NO_MEMORY.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_config_read(const struct llmgr_config_source *source,
                                                          struct llmgr_config **config,
                                                          struct llmgr_error *err);
/*
 * What was read all the same, but should be told: lines of the .env file that were not used, and
 * variables that the environment has empty, so that they count as missing. One a line, without a
 * value; empty if there is nothing. Lives as long as `config`.
 */
LLMGR_API const char *llmgr_config_warnings(const struct llmgr_config *config);
/* Sets in `options` what the file says; its pointers live as long as `config`. */
LLMGR_API void llmgr_config_apply(const struct llmgr_config *config, struct llmgr_options *options);
LLMGR_API void llmgr_config_free(struct llmgr_config *config);

/* What is done: XX(NAME, number, "name"). */
#define LLMGR_CHANGE_MAP(XX) XX(ADD, 0, "add") XX(UPDATE, 1, "update") XX(REMOVE, 2, "remove")

typedef enum llmgr_change_action {
#define LLMGR_CHANGE_ENUM(name, number, text) LLMGR_CHANGE_##name = number,
    LLMGR_CHANGE_MAP(LLMGR_CHANGE_ENUM)
#undef LLMGR_CHANGE_ENUM
} llmgr_change_action;

struct llmgr_change {
    llmgr_change_action action;
    const char *platform_name; /* NULL: an alias or a route changed */
    const char *display_name;  /* of the model, or NULL if the platform itself changed */
    const char *detail; /* what changed: "name", "base_url", "api_key", … ; "price": what the
                           model costs was set, changed or ended; may be NULL */
    const char *alias;  /* NULL, or the alias that changed: then there is no platform_name */
    const char *route;  /* NULL, or the route that changed: likewise */
};

struct llmgr_sync_report {
    struct llmgr_change *changes;
    size_t count;
    void *memory; /* ours */
};

/*
 * Makes the system platforms and models those of `config`, in its order, and the operator's aliases
 * and routes likewise: what is new is added, what changed is updated, what is gone is removed; ids
 * of what stays are kept, and with them users' keys and selections. What was made without the file
 * (llmgr_platform_add_system, llmgr_model_add, llmgr_route_add) is left alone, save models in a
 * platform that goes; an entry with the name of such, or a platform with the address, is
 * ERR_CONFIG. The prices of models are the file's likewise (llmgr_price_set). Idempotent, one
 * transaction, and one more for prices behind it. With `dry_run` nothing is written. `report` may
 * be NULL; end it with llmgr_sync_report_clear.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_sync(struct llmgr *manager,
                                                   const struct llmgr_config *config, bool dry_run,
                                                   struct llmgr_sync_report *report,
                                                   struct llmgr_error *err);
LLMGR_API void llmgr_sync_report_clear(struct llmgr_sync_report *report);

/* How a database stands to a configuration: XX(NAME, number, "name"). */
#define LLMGR_SYNC_MAP(XX)                                                                         \
    XX(NEVER, 0, "never")     /* this database was never synchronised */                           \
    XX(CURRENT, 1, "current") /* its platforms are those of the configuration */                   \
    XX(STALE, 2, "stale")     /* the configuration changed since (names, models, prices, …) */

typedef enum llmgr_sync_state {
#define LLMGR_SYNC_ENUM(name, number, text) LLMGR_SYNC_##name = number,
    LLMGR_SYNC_MAP(LLMGR_SYNC_ENUM)
#undef LLMGR_SYNC_ENUM
} llmgr_sync_state;

/* How the database stands to `config`, by a digest; server keys are not compared. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_sync_check(struct llmgr *manager,
                                                         const struct llmgr_config *config,
                                                         llmgr_sync_state *state,
                                                         struct llmgr_error *err);

/* ---- Platforms ------------------------------------------------------------------------------- */

struct llmgr_platform {
    int64_t platform_id;
    const char *platform_name;
    const char *base_url;
    const char *protocol; /* "openai" */
    bool platform_is_sys;
    const char *managed;         /* "file": changed in llmgr.yaml; "database": by calls. Static */
    bool platform_hide;          /* for this user */
    bool api_key_set;            /* would resolve find a key for this user? */
    const char *key_fingerprint; /* "key:1a2b3c4d" of the key that would be used, or NULL */
    const char *payer;           /* "user", "system", or NULL without a key */
    /*
     * The platform was found to reject stream_options, so streams are not asked for usage and may
     * report none; ms since 1970 until when that is believed; 0: usage is asked for.
     */
    int64_t no_stream_options_until_ms;
    const char *native_paths;    /* opened under the server's key besides the usual, as
                                    "POST /a, GET /b/{id}", or NULL */
    const char *headers;         /* of the caller's that are passed on to it besides the usual, as
                                    "user-agent, x-title", or NULL */
    const char *fixed_headers;   /* names of those that it gets with values of its own, "x-org,
                                    x-title", or NULL; the values are never shown */
    const char *missing_headers; /* of those that are left out: behind a name the variables that it
                                    waits for, "x-org {ORG}"; no variable: it must be set again; or
                                    NULL */
    void *memory;                /* ours; NULL inside a list */
};

struct llmgr_platform_list {
    struct llmgr_platform *items;
    size_t count;
    void *memory; /* ours */
};

LLMGR_API void llmgr_platform_clear(struct llmgr_platform *platform);
LLMGR_API void llmgr_platform_list_clear(struct llmgr_platform_list *list);

/* All platforms the user can see, hidden ones included: system platforms in order, then own. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platforms(struct llmgr *manager, const char *user,
                                                        struct llmgr_platform_list *list,
                                                        struct llmgr_error *err);

/*
 * Creates a private platform of `user`. `api_key` may be NULL. Errors: ERR_MODE (not in custom
 * mode, or the system user: see llmgr_platform_add_system), ERR_INVALID (name of
 * 1-80 bytes UTF-8, URL), ERR_ADDRESS (egress policy), ERR_CONFLICT (name is taken, or the address
 * is a system platform's: store an own key there). `platform` may be NULL.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_add(struct llmgr *manager, const char *user,
                                                           const char *name, const char *base_url,
                                                           const char *api_key,
                                                           struct llmgr_platform *platform,
                                                           struct llmgr_error *err);
/*
 * What a system platform is made with, or what is to change of a platform. Initialise with
 * llmgr_platform_spec_init: nothing is given; what is not given is the default, or stays as it is.
 */
struct llmgr_platform_spec {
    size_t size; /* sizeof(struct llmgr_platform_spec) */
    const char *name;
    const char *base_url;
    const char *api_key;  /* of a change: beside base_url only, else llmgr_platform_set_key */
    const char *protocol; /* openai ("": this), anthropic, azure, gemini; only of system platforms,
                             also below */
    const char *native_paths; /* opened under the server's key besides the usual, as "POST /a, GET
                                 /b/{id}"; "": none */
    const char *headers;      /* names of the caller's that are passed on, "user-agent, x-title" */
};

LLMGR_API void llmgr_platform_spec_init(struct llmgr_platform_spec *spec);
/*
 * Makes a system platform without llmgr.yaml, for everybody, behind those of the file; name and
 * base_url must be given. Its key is the server's. It is the operator's: the system user changes it
 * with the functions below as users do their own platforms, and a sync leaves it alone. `platform`
 * may be NULL. Errors: ERR_FORBIDDEN (another user), ERR_INVALID, ERR_ADDRESS (no address that
 * could be dialled), ERR_CONFLICT (a system platform has the name or the address), ERR_TOO_LARGE at
 * 10000.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_add_system(
    struct llmgr *manager, const char *user, const struct llmgr_platform_spec *spec,
    struct llmgr_platform *platform, struct llmgr_error *err);
/*
 * Changes what is given of a platform, all of it or nothing. A new address is as of
 * llmgr_platform_set_url. Errors: as of llmgr_platform_rename, and ERR_INVALID for what only system
 * platforms have.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status
llmgr_platform_update(struct llmgr *manager, const char *user, int64_t platform_id,
                      const struct llmgr_platform_spec *spec, struct llmgr_error *err);
/*
 * Own platforms, and for the system user system platforms that calls have made; ERR_NOT_FOUND for
 * absent and foreign ids alike, ERR_FORBIDDEN for other system platforms, which llmgr.yaml manages.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_rename(struct llmgr *manager,
                                                              const char *user, int64_t platform_id,
                                                              const char *name,
                                                              struct llmgr_error *err);
/*
 * Moves such a platform to another address. Its key and header fields belong to the old origin:
 * if scheme, host or port change, `api_key` must be given anew or the platform is left without a
 * key, and the header fields are gone.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status
llmgr_platform_set_url(struct llmgr *manager, const char *user, int64_t platform_id,
                       const char *base_url, const char *api_key, struct llmgr_error *err);
/*
 * Deletes such a platform with its models and all keys for it; selections of it are repaired later.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_delete(struct llmgr *manager,
                                                              const char *user, int64_t platform_id,
                                                              struct llmgr_error *err);
/* Hides or shows a platform, system or own, for this user. Resolve does not care. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_hide(struct llmgr *manager, const char *user,
                                                            int64_t platform_id, bool hide,
                                                            struct llmgr_error *err);
/*
 * Forgets that the platform was found to reject stream_options: the next stream asks for usage
 * again. System platforms: the system user only, others get ERR_FORBIDDEN.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_ask_usage(struct llmgr *manager,
                                                                 const char *user,
                                                                 int64_t platform_id,
                                                                 struct llmgr_error *err);
/*
 * Stores the user's own key: for a system platform beside the server key, for a private platform
 * as its key; for the system user and a system platform that calls have made, the server's. It
 * takes the place of all that the user had for it; NULL or "" removes them. A key
 * is 1-4096 bytes of visible ASCII and no placeholder.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_set_key(struct llmgr *manager,
                                                               const char *user,
                                                               int64_t platform_id,
                                                               const char *api_key,
                                                               struct llmgr_error *err);

/*
 * Gives a private platform, or for the system user a system platform that calls have made, a header
 * field that is sent with every request to it, in the place of
 * the caller's of that name; NULL or "" removes it. At most 16 of them, 4096 bytes in all; the
 * value is 1-2048 bytes of UTF-8 without control characters, is sealed like a key, and is never
 * shown. Errors: ERR_INVALID (a value that cannot be one, or a name that may not be set: who asks,
 * cookies, what is the connection's), ERR_TOO_LARGE, ERR_NOT_FOUND (no such platform, or nothing to
 * remove), ERR_MODE, ERR_FORBIDDEN (another system platform's stand in the configuration).
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status
llmgr_platform_set_header(struct llmgr *manager, const char *user, int64_t platform_id,
                          const char *name, const char *value, struct llmgr_error *err);
/*
 * One of several keys for a platform. They are used in their order, or as a route says by weight;
 * of keys with one `account` label the vendor's limits are shared. What names a key in the
 * functions below (`key`) is its fingerprint, or its place as a decimal number.
 */
struct llmgr_platform_key {
    int64_t position;        /* from 1, among the keys of who pays */
    bool usable;             /* false: missing, or it does not open for the platform's address */
    const char *fingerprint; /* "key:1a2b3c4d"; NULL unless usable */
    const char *health_id;   /* by which the health of keys speaks of it, 16 hex digits; or NULL */
    const char *payer;       /* "user": the user's own; "system": the server's */
    int64_t weight;          /* 1-1000 */
    const char *account;     /* label of the account at the vendor; NULL: none is named */
    const char *key_env;     /* the server's: the variable it comes from; NULL: none */
};

struct llmgr_platform_key_list {
    struct llmgr_platform_key *items;
    size_t count;
    void *memory; /* ours */
};

LLMGR_API void llmgr_platform_key_list_clear(struct llmgr_platform_key_list *list);
/*
 * The user's own keys for a platform in order; for the system user the server's follow, which
 * llmgr.yaml changes. Of a system platform that calls have made they are the system user's, here
 * and below. ERR_NOT_FOUND.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_keys(struct llmgr *manager, const char *user,
                                                            int64_t platform_id,
                                                            struct llmgr_platform_key_list *list,
                                                            struct llmgr_error *err);
/*
 * Stores one more key of the user's, behind the others. `weight` 1-1000 (0: 1); `account` 1-60
 * bytes, NULL or "": none. *position (NULL: not wanted) receives its place. Errors: ERR_NOT_FOUND;
 * ERR_CONFLICT (this very key is there already); ERR_TOO_LARGE at 200 keys, or 1000 for all
 * platforms; ERR_INVALID.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_add_key(
    struct llmgr *manager, const char *user, int64_t platform_id, const char *api_key,
    int64_t weight, const char *account, int64_t *position, struct llmgr_error *err);
/*
 * Changes what is said of one of the user's keys, and its place. 0 and NULL leave what they stand
 * for, "" takes the account's label away. *position as above. ERR_NOT_FOUND, ERR_INVALID.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status
llmgr_platform_update_key(struct llmgr *manager, const char *user, int64_t platform_id,
                          const char *key, int64_t new_position, int64_t weight,
                          const char *account, int64_t *position, struct llmgr_error *err);
/* Removes one of the user's keys. ERR_NOT_FOUND; ERR_CONFLICT (two have this fingerprint). */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_delete_key(struct llmgr *manager,
                                                                  const char *user,
                                                                  int64_t platform_id,
                                                                  const char *key,
                                                                  struct llmgr_error *err);

/* ---- Models ---------------------------------------------------------------------------------- */

/* What a model is for: XX(NAME, number, "name"). Told by people or a platform's list, not guessed.
 */
#define LLMGR_MODEL_KIND_MAP(XX)                                                                   \
    XX(UNKNOWN, 0, "unknown")             /* nobody has said; it is taken for one that chats */    \
    XX(CHAT, 1, "chat")                   /* answers messages */                                   \
    XX(COMPLETION, 2, "completion")       /* continues a text, and knows no messages */            \
    XX(EMBEDDING, 3, "embedding")         /* texts to vectors */                                   \
    XX(RERANK, 4, "rerank")               /* sorts documents by a question */                      \
    XX(IMAGE, 5, "image")                 /* makes pictures */                                     \
    XX(VIDEO, 6, "video")                 /* makes films */                                        \
    XX(SPEECH, 7, "speech")               /* text to speech */                                     \
    XX(TRANSCRIPTION, 8, "transcription") /* speech to text */                                     \
    XX(MODERATION, 9, "moderation")       /* judges what may be said */

typedef enum llmgr_model_kind {
#define LLMGR_MODEL_KIND_ENUM(name, number, text) LLMGR_MODEL_##name = number,
    LLMGR_MODEL_KIND_MAP(LLMGR_MODEL_KIND_ENUM)
#undef LLMGR_MODEL_KIND_ENUM
} llmgr_model_kind;

/* "unknown", "chat", …; NULL for a number that is no kind. Static. */
LLMGR_API const char *llmgr_model_kind_name(llmgr_model_kind kind);
/* The kind of that name into *kind; false if there is none. */
LLMGR_API bool llmgr_model_kind_parse(const char *name, llmgr_model_kind *kind);

enum { LLMGR_MODEL_TOKENS_MAX = 1000000000 }; /* of a context, and of an answer */

/*
 * One row of the flat list that a front end renders; the seed's fields, model_hide, kind and how
 * much the model takes and gives.
 */
struct llmgr_model {
    int64_t platform_id;
    const char *platform_name;
    bool platform_is_sys;
    bool platform_hide;
    const char *base_url;
    bool api_key_set;
    int64_t model_id;
    const char *model_name;   /* what the upstream is asked for */
    const char *display_name; /* what people see */
    const char *extra_body;   /* JSON object, or NULL */
    bool model_hide;
    llmgr_model_kind kind;
    int64_t context_tokens;    /* that fit into it, as its platform counts them; 0: not known */
    int64_t max_output_tokens; /* of one answer; 0: not known */
    const char *managed;       /* "file": changed in llmgr.yaml; "database": by calls. Static */
    void *memory;              /* ours; NULL inside a list */
};

struct llmgr_model_list {
    struct llmgr_model *items;
    size_t count;
    void *memory; /* ours */
};

LLMGR_API void llmgr_model_clear(struct llmgr_model *model);
LLMGR_API void llmgr_model_list_clear(struct llmgr_model_list *list);

/* Every model of every platform the user can see, hidden ones included, in platform order. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_models(struct llmgr *manager, const char *user,
                                                     struct llmgr_model_list *list,
                                                     struct llmgr_error *err);
/*
 * What a model is made with, or what is to change of one. Initialise with llmgr_model_spec_init:
 * nothing is given; what is not given is the default, or stays as it is.
 */
struct llmgr_model_spec {
    size_t size;              /* sizeof(struct llmgr_model_spec) */
    const char *model_name;   /* what the upstream is asked for; of a new model, which needs one */
    const char *display_name; /* model_name if not given */
    /*
     * A JSON object merged into each request's top level (it wins): at most 16 KiB and 64 levels,
     * no repeated members, and none named "model", "messages" or "stream"; "" or "{}": none.
     */
    const char *extra_body;
    int kind;                  /* llmgr_model_kind; LLMGR_UNSET: not given, also below */
    int64_t context_tokens;    /* up to LLMGR_MODEL_TOKENS_MAX, also below; 0: not known */
    int64_t max_output_tokens; /* llmgr_probe_model has for all three what the platform says */
};

LLMGR_API void llmgr_model_spec_init(struct llmgr_model_spec *spec);
/*
 * Adds a model to a private platform, or for the system user to any system platform, behind those
 * of llmgr.yaml. Names are 1-120 bytes. `model` may be NULL. Errors: as llmgr_platform_add;
 * ERR_CONFLICT if the platform has the model_name, or one of the user's platforms (of a system
 * platform: it itself) the display_name; ERR_TOO_LARGE at 1000 models (200000 of all system
 * platforms).
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_model_add(struct llmgr *manager, const char *user,
                                                        int64_t platform_id,
                                                        const struct llmgr_model_spec *spec,
                                                        struct llmgr_model *model,
                                                        struct llmgr_error *err);
/*
 * Changes what is given of a model, of which there must be something; its model_name is as it is.
 * ERR_FORBIDDEN for models that llmgr.yaml manages.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_model_update(struct llmgr *manager, const char *user,
                                                           int64_t model_id,
                                                           const struct llmgr_model_spec *spec,
                                                           struct llmgr_error *err);
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_model_delete(struct llmgr *manager, const char *user,
                                                           int64_t model_id,
                                                           struct llmgr_error *err);
/* Hides or shows any visible model for this user. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_model_hide(struct llmgr *manager, const char *user,
                                                         int64_t model_id, bool hide,
                                                         struct llmgr_error *err);

/* ---- Selections ------------------------------------------------------------------------------ */

struct llmgr_selection {
    const char *slot;
    int64_t platform_id;
    const char *platform;
    bool platform_is_sys;
    const char *base_url;
    int64_t model_id;
    const char *model_display_name;
    const char *model_name;
    bool api_key_set;
    bool is_default; /* the user never chose for this slot (nor for main) */
    bool repaired;   /* the stored choice was gone; this one has replaced it */
    /*
     * The route that serves, or NULL: then platform and model are those of its target that would be
     * asked first; platform_id is 0 and the names are "" if none of its targets is there.
     */
    const char *route;
    void *memory; /* ours */
};

LLMGR_API void llmgr_selection_clear(struct llmgr_selection *selection);

/*
 * Stores the user's choice for a slot (NULL: "main"; names of 1-64 bytes). ERR_NOT_FOUND if the
 * user cannot see the platform or it has no such model.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_selection_save(struct llmgr *manager,
                                                             const char *user, const char *slot,
                                                             int64_t platform_id, int64_t model_id,
                                                             struct llmgr_error *err);
/* The same with a route of the user's or the operator's, by name, for what serves the slot. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_selection_save_route(struct llmgr *manager,
                                                                   const char *user,
                                                                   const char *slot,
                                                                   const char *route,
                                                                   struct llmgr_error *err);
/*
 * What resolve would use for the slot now: the stored choice; else that of "main"; else the first
 * system platform with a usable key and a model whose kind is chat or unknown. A choice whose
 * target is gone is repaired on the way. A missing key is no error here: api_key_set tells.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_selection_get(struct llmgr *manager, const char *user,
                                                            const char *slot,
                                                            struct llmgr_selection *selection,
                                                            struct llmgr_error *err);
/* The names of the slots the user has stored a choice for, "main" included. NULL-terminated. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_selection_slots(struct llmgr *manager,
                                                              const char *user, char ***slots,
                                                              struct llmgr_error *err);
LLMGR_API void llmgr_selection_slots_free(struct llmgr *manager, char **slots);

/* ---- Explain --------------------------------------------------------------------------------- */

/*
 * Why routes, and pools of keys, let something alone for a while, as far as who asks may know. How
 * the server's keys and accounts do, only an administrator knows: all others hear until when.
 */
struct llmgr_cooled {
    int64_t until_ms;        /* ms since 1970 */
    const char *cell_id;     /* the cell that ends last; NULL: not for who asks, nor what follows */
    const char *scope;       /* what it is of: "key", "account", "model", "platform" */
    const char *account;     /* label of the account, if one is named */
    const char *reason;      /* a stable word, such as "limit" */
    int64_t upstream_status; /* what the platform answered; 0: nothing */
};

/* One of the keys that may pay for a candidate. The key itself is never shown. */
struct llmgr_candidate_key {
    int64_t place;                     /* from 1, among those that can be used */
    const char *fingerprint;           /* "key:1a2b3c4d"; NULL if it does not open */
    int64_t weight;                    /* 1-1000 */
    const char *account;               /* label of the account at the vendor; NULL: none is named */
    const struct llmgr_cooled *cooled; /* NULL: it may be asked, as far as is known */
};

struct llmgr_price;

struct llmgr_candidate {
    int64_t platform_id;
    const char *platform_name;
    bool platform_is_sys;
    const char *base_url;
    int64_t model_id; /* 0 if the platform has no model */
    const char *model_name;
    const char *display_name;
    llmgr_model_kind kind;       /* of the model; also below */
    int64_t context_tokens;      /* 0: not known */
    int64_t max_output_tokens;   /* likewise */
    bool kept;                   /* could serve the request */
    bool chosen;                 /* does serve it, or is asked first; at most one */
    const char *reason;          /* why kept or dropped: a stable word such as "no_key" */
    const char *text;            /* the same for people, in the host's locale */
    const char *key_fingerprint; /* NULL: no usable key */
    const char *payer;           /* "user", "system" or NULL */
    const char *target;          /* of a route: what it names, "PLATFORM/MODEL"; else NULL */
    const char *dialect;         /* of a route: requests in this dialect alone are sent there, such
                                    as "anthropic", and others pass it over; NULL: any */
    const char *fixed_headers;   /* as of llmgr_platform */
    const char *missing_headers;
    const struct llmgr_candidate_key *keys; /* of one that is kept, in order: the user's own; the
                                               server's for the system user alone */
    size_t key_count;
    const struct llmgr_cooled *cooled; /* none of its keys may be asked: of that which may be
                                          soonest. NULL: one may, as far as this process knows,
                                          whose cells these are (a gateway's: GET /api/explain) */
    const struct llmgr_price *price;   /* that decides about a request that begins now, has few
                                          prompt tokens and gets no service tier; NULL: it would be
                                          unpriced */
};

struct llmgr_explanation {
    struct llmgr_candidate *items; /* in the order in which resolve looks at them */
    size_t count;
    llmgr_status status;      /* what resolve would return */
    const char *message;      /* its error text, "" if none */
    const char *alias;        /* the alias that led here, or NULL */
    const char *alias_target; /* and what it stands for */
    const char *route;        /* the route that was asked, or NULL: the candidates are its targets,
                                 those that are not there too, with the reason "missing" */
    void *memory;             /* ours */
};

/*
 * A dry run of resolve: nothing is repaired, nothing is sent. Give `slot`, or `model` (see
 * llmgr_llm_for_model), or neither for "main".
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_explain(struct llmgr *manager, const char *user,
                                                      const char *slot, const char *model,
                                                      struct llmgr_explanation *explanation,
                                                      struct llmgr_error *err);
LLMGR_API void llmgr_explanation_clear(struct llmgr_explanation *explanation);

/* ---- Health ---------------------------------------------------------------------------------- */

/* What routes, and pools of keys, let alone for a while. */
struct llmgr_cell {
    const char *cell_id; /* its number, the same in every process on one database */
    const char *scope;   /* what it is of: "key", "account", "model", "platform" */
    bool is_own;         /* of this user alone; else of all who use it */
    int64_t platform_id;
    const char *platform_name; /* NULL: it is gone */
    int64_t model_id;          /* of a model; else 0 */
    const char *display_name;  /* of that model; NULL: it is gone, or none */
    const char *state;         /* "cooled": nobody goes there; "half_open": one call at a time finds
                                  out whether it is well */
    const char *reason;        /* why: a stable word, such as "limit" */
    int64_t upstream_status;   /* what the platform answered; 0: nothing */
    int64_t since_ms;          /* ms since 1970: since when */
    int64_t until_ms;          /* and until when */
    int64_t streak;            /* how often in a row */
    bool is_hard;              /* a refused key, or no money: waiting may not help */
};

struct llmgr_cell_list {
    struct llmgr_cell *items; /* in no particular order */
    size_t count;
    void *memory; /* ours */
};

/*
 * What the calls of this handle have met and let alone now: what is `user`'s own, and of platforms
 * that he sees what all share; how the server's keys and accounts do, the system user alone is
 * told. Each process knows its own: a gateway's are those of GET /api/health/cells. Any thread; no
 * platform is asked.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_health(struct llmgr *manager, const char *user,
                                                     struct llmgr_cell_list *list,
                                                     struct llmgr_error *err);
LLMGR_API void llmgr_cell_list_clear(struct llmgr_cell_list *list);
/*
 * The calls of this handle may go there again at once, as if it had never failed. What all share
 * the system user alone resets. ERR_NOT_FOUND: no such cell is let alone, or it is not this user's
 * to reset. Any thread.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_health_reset(struct llmgr *manager, const char *user,
                                                           const char *cell_id,
                                                           struct llmgr_error *err);

/* ---- Aliases --------------------------------------------------------------------------------- */

/*
 * A name that clients insist on, and the name of the slot or model that it stands for. It is asked
 * when nothing else bears the name; one '*' in it is anything: "claude-*". An exact alias is asked
 * before patterns, the longest pattern before others, and the user's own before the operator's,
 * which come from llmgr.yaml with llmgr_sync.
 */
struct llmgr_alias {
    const char *name;
    const char *target;
    bool is_sys; /* the operator's */
};

struct llmgr_alias_list {
    struct llmgr_alias *items; /* the user's own by name, then the operator's by name */
    size_t count;
    void *memory; /* ours */
};

LLMGR_API void llmgr_alias_list_clear(struct llmgr_alias_list *list);
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_aliases(struct llmgr *manager, const char *user,
                                                      struct llmgr_alias_list *list,
                                                      struct llmgr_error *err);
/*
 * Makes one of the user's own aliases, or changes what it stands for, which need not be there yet.
 * `name` is 1-120 bytes, `target` 1-201. ERR_TOO_LARGE at 100 aliases.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_alias_set(struct llmgr *manager, const char *user,
                                                        const char *name, const char *target,
                                                        struct llmgr_error *err);
/* ERR_NOT_FOUND if there is none, ERR_FORBIDDEN if only the operator has it. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_alias_delete(struct llmgr *manager, const char *user,
                                                           const char *name,
                                                           struct llmgr_error *err);

/* ---- Routes ---------------------------------------------------------------------------------- */

/* Which target of a route is asked first: XX(NAME, number, "name"). */
#define LLMGR_PICK_MAP(XX)                                                                         \
    XX(ORDER, 0, "order")     /* as they stand in the route */                                     \
    XX(WEIGHT, 1, "weight")   /* each as often as its weight says */                               \
    XX(FASTEST, 2, "fastest") /* of two at random, the one whose first byte came sooner of late */

typedef enum llmgr_pick {
#define LLMGR_PICK_ENUM(name, number, text) LLMGR_PICK_##name = number,
    LLMGR_PICK_MAP(LLMGR_PICK_ENUM)
#undef LLMGR_PICK_ENUM
} llmgr_pick;

/* What goes to the same account where it can, for the platform's cache: XX(NAME, number, "name").
 */
#define LLMGR_STICKY_MAP(XX)                                                                       \
    XX(NONE, 0, "none")                                                                            \
    XX(USER, 1, "user")                 /* all that one user asks */                               \
    XX(CONVERSATION, 2, "conversation") /* what belongs to one conversation */

typedef enum llmgr_sticky {
#define LLMGR_STICKY_ENUM(name, number, text) LLMGR_STICKY_##name = number,
    LLMGR_STICKY_MAP(LLMGR_STICKY_ENUM)
#undef LLMGR_STICKY_ENUM
} llmgr_sticky;

/* What a request gets when no target of a route may be asked now: XX(NAME, number, "name"). */
#define LLMGR_EXHAUSTED_MAP(XX)                                                                    \
    XX(REJECT, 0, "reject") /* an error at once, with the time when one may be asked again */      \
    XX(LEAST_BAD, 1, "least_bad") /* the target whose time comes first is asked all the same */

typedef enum llmgr_exhausted {
#define LLMGR_EXHAUSTED_ENUM(name, number, text) LLMGR_EXHAUSTED_##name = number,
    LLMGR_EXHAUSTED_MAP(LLMGR_EXHAUSTED_ENUM)
#undef LLMGR_EXHAUSTED_ENUM
} llmgr_exhausted;

/* Names as in the maps, NULL for a number that is none. Static. */
LLMGR_API const char *llmgr_pick_name(llmgr_pick pick);
LLMGR_API const char *llmgr_sticky_name(llmgr_sticky sticky);
LLMGR_API const char *llmgr_exhausted_name(llmgr_exhausted exhausted);
/* What bears that name in the map; false, and nothing written, if there is none. */
LLMGR_API bool llmgr_pick_parse(const char *name, llmgr_pick *pick);
LLMGR_API bool llmgr_sticky_parse(const char *name, llmgr_sticky *sticky);
LLMGR_API bool llmgr_exhausted_parse(const char *name, llmgr_exhausted *exhausted);

/* Bounds of a route, and what holds where it does not say; times are in milliseconds. */
enum {
    LLMGR_ROUTE_TARGETS_MAX = 1000,
    LLMGR_ROUTE_WEIGHT_MAX = 1000,
    LLMGR_ROUTE_ATTEMPTS_MAX = 10,
    LLMGR_ROUTE_ATTEMPTS = 3, /* if the route does not say */
    LLMGR_ROUTE_TIME_MIN_MS = 1000,
    LLMGR_ROUTE_TIME_MAX_MS = 600000,
    LLMGR_ROUTE_DEADLINE_MS = 60000, /* if the route does not say */
    LLMGR_ROUTES_PER_USER = 100,
    LLMGR_ROUTE_ALL_TARGETS_MAX = 5000, /* of all of a user's routes together */
};

/*
 * A target of a route. `model` is "PLATFORM/MODEL": the name of a platform, then the display name
 * or the model name of one of its models; never the name of a route, slot or alias. It need not be
 * there: a target that is missing is kept, and the others serve.
 */
struct llmgr_route_target {
    const char *model;
    int64_t weight;                /* 1 to LLMGR_ROUTE_WEIGHT_MAX */
    int64_t first_byte_timeout_ms; /* of an attempt at it; 0: it has none of its own */
    bool missing;                  /* told by lists; nobody asks, when a route is made */
    bool api_key_set;              /* likewise: there is a key that this user may use */
};

/*
 * A named list of targets with a policy, asked for by `model` like a model, or chosen for a slot.
 * A user's own routes are private to the user; the operator's are everybody's, and name system
 * platforms only. A name without '/': 1 to 64 bytes.
 */
struct llmgr_route {
    int64_t route_id;
    const char *name;
    const char *display_name; /* the name if none was given */
    bool is_sys;              /* the operator's */
    const char *managed;      /* "file": changed in llmgr.yaml; "database": by calls. Static */
    bool route_hide;          /* left out of lists of what can be called, for this user */
    llmgr_pick pick;
    llmgr_sticky sticky;
    llmgr_exhausted on_exhausted;
    int64_t attempts;    /* of a request, in all */
    int64_t deadline_ms; /* of a request, to its first byte */
    const struct llmgr_route_target *targets;
    size_t target_count;
    bool api_key_set;      /* one of its targets is there and has a key that this user may use */
    int64_t created_at_ms; /* since 1970 */
    void *memory;          /* ours; NULL inside a list */
};

struct llmgr_route_list {
    struct llmgr_route *items; /* the user's own by name, then the operator's by name */
    size_t count;
    void *memory; /* ours */
};

LLMGR_API void llmgr_route_clear(struct llmgr_route *route);
LLMGR_API void llmgr_route_list_clear(struct llmgr_route_list *list);

/*
 * What a route is made with, or what is to change of one. Initialise with llmgr_route_spec_init:
 * nothing is given; what is not given is the default, or stays as it is.
 */
struct llmgr_route_spec {
    size_t size; /* sizeof(struct llmgr_route_spec) */
    const char *name;
    const char *display_name; /* "": none */
    int pick;                 /* llmgr_pick; LLMGR_UNSET: not given, also below */
    int sticky;               /* llmgr_sticky */
    int on_exhausted;         /* llmgr_exhausted */
    int64_t attempts;
    int64_t deadline_ms;
    const struct llmgr_route_target *targets; /* NULL: not given; else all of them */
    size_t target_count;
    bool is_sys; /* make one of the operator's: the system user only */
};

LLMGR_API void llmgr_route_spec_init(struct llmgr_route_spec *spec);

/* All routes the user can ask for, hidden ones included, each with its targets. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_routes(struct llmgr *manager, const char *user,
                                                     struct llmgr_route_list *list,
                                                     struct llmgr_error *err);
/*
 * Makes a route of one's own, or with spec->is_sys one of the operator's; name and targets must be
 * given. `route` may be NULL. Errors: ERR_INVALID names the member and its bounds (a name with '/',
 * one of a slot in use; a target that is no "PLATFORM/MODEL", or stands there twice; a weight, a
 * time); ERR_CONFLICT (the user, or the operator, has a route of that name); ERR_MODE (mode single;
 * the system user has none of its own); ERR_FORBIDDEN (is_sys, for other users than the system
 * user); ERR_TOO_LARGE at LLMGR_ROUTES_PER_USER and LLMGR_ROUTE_ALL_TARGETS_MAX.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_route_add(struct llmgr *manager, const char *user,
                                                        const struct llmgr_route_spec *spec,
                                                        struct llmgr_route *route,
                                                        struct llmgr_error *err);
/*
 * Changes what is given of a route; selections of it stay, also under another name. Own ones, and
 * for the system user the operator's that were made by llmgr_route_add. ERR_NOT_FOUND for absent
 * and foreign ids alike, ERR_FORBIDDEN for the operator's and for what llmgr.yaml manages.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_route_update(struct llmgr *manager, const char *user,
                                                           int64_t route_id,
                                                           const struct llmgr_route_spec *spec,
                                                           struct llmgr_error *err);
/* Selections of it are repaired later. Errors as of llmgr_route_update. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_route_delete(struct llmgr *manager, const char *user,
                                                           int64_t route_id,
                                                           struct llmgr_error *err);
/* Hides or shows any route the user can see, for this user. Resolve does not care. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_route_hide(struct llmgr *manager, const char *user,
                                                         int64_t route_id, bool hide,
                                                         struct llmgr_error *err);

/* ---- An LLM and its answers ------------------------------------------------------------------ */

/* The LLM a user chose for a slot (NULL: "main"). ERR_NO_KEY says which key is missing. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_llm_for_user(struct llmgr *manager, const char *user,
                                                           const char *slot, struct llmgr_llm **llm,
                                                           struct llmgr_error *err);
/*
 * The LLM that `model` names for the user. In this order: a slot the user has stored, "auto" or
 * "main"; a route, of which targets are asked one after another; "platform/model" (platform
 * name, then display name, then model name); a display name; a model name; what an alias of that
 * name stands for. Among equals: a usable key before none, own platforms before system platforms,
 * then the order of llmgr_models. llmgr_explain shows it.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_llm_for_model(struct llmgr *manager, const char *user,
                                                            const char *model,
                                                            struct llmgr_llm **llm,
                                                            struct llmgr_error *err);
/* A system model by its names, with the system user's key (the seed's get_spec_sys_llm). */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_llm_for_system(struct llmgr *manager,
                                                             const char *platform_name,
                                                             const char *display_name,
                                                             struct llmgr_llm **llm,
                                                             struct llmgr_error *err);
/* No call on it may be running. */
LLMGR_API void llmgr_llm_free(struct llmgr_llm *llm);

/*
 * What was resolved: of a route, or of several keys, the best candidate of the moment. Strings live
 * as long as the LLM. `memory` is NULL.
 */
LLMGR_API void llmgr_llm_selection(const struct llmgr_llm *llm, struct llmgr_selection *selection);
/* The model's extra_body as JSON, or NULL. Lives as long as the LLM. */
LLMGR_API const char *llmgr_llm_extra_body(const struct llmgr_llm *llm);
/* "system" or "user": whose key pays. Static. */
LLMGR_API const char *llmgr_llm_payer(const struct llmgr_llm *llm);
/*
 * Copies the API key, NUL-terminated, for a client library that must have it; the only way a key
 * leaves. ERR_TOO_LARGE if `size` bytes do not hold it (4097 always do). Wipe it after use.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_llm_key(const struct llmgr_llm *llm, char *key,
                                                      size_t size, struct llmgr_error *err);

struct llmgr_message {
    const char *role;       /* "system", "user", "assistant", "tool" */
    const char *content;    /* text; NULL gives JSON null unless extra_json has "content" */
    const char *extra_json; /* JSON object of further members ("tool_calls", "name", …), or NULL */
};

#define LLMGR_UNSET (-1)

/* Initialise with llmgr_request_init. */
struct llmgr_request {
    size_t size; /* sizeof(struct llmgr_request) */
    const struct llmgr_message *messages;
    size_t message_count;
    double temperature;     /* negative: not sent */
    int64_t max_tokens;     /* LLMGR_UNSET: not sent */
    const char *tools_json; /* JSON array, or NULL */
    const char *extra_json; /* JSON object of further members of the request, or NULL */
};

LLMGR_API void llmgr_request_init(struct llmgr_request *request);

enum { LLMGR_SERVICE_TIER_SIZE = 24 /* bytes, with the NUL */ };

/* What was used, as the upstream reported it; -1 where it did not. */
struct llmgr_usage {
    int64_t prompt_tokens;
    int64_t completion_tokens; /* with what only the total counts (thinking, at some platforms) */
    int64_t total_tokens;
    int64_t cached_tokens;         /* part of prompt_tokens */
    int64_t reasoning_tokens;      /* part of completion_tokens */
    int64_t cache_write_tokens;    /* part of prompt_tokens: put into the platform's cache */
    int64_t cache_write_1h_tokens; /* part of cache_write_tokens: for an hour */
    int64_t audio_input_tokens;    /* part of prompt_tokens */
    int64_t audio_output_tokens;   /* part of completion_tokens */
    int64_t image_input_tokens;    /* part of prompt_tokens */
    int64_t tool_calls;            /* of tools that the platform hosts, such as searches */
    int64_t reported_cost_nano;    /* what the platform says, in 10^-9 of its own currency */
    char service_tier[LLMGR_SERVICE_TIER_SIZE]; /* that it answered with; "": it does not say */
};

struct llmgr_tool_call {
    int64_t index;
    const char *id;        /* in a stream: given once, then NULL */
    const char *name;      /* in a stream: given once, then NULL */
    const char *arguments; /* JSON text; in a stream: a fragment */
};

struct llmgr_answer {
    const char *content;           /* NULL if the message has none */
    const char *reasoning_content; /* reasoning_content or reasoning; NULL if none */
    struct llmgr_tool_call *tool_calls;
    size_t tool_call_count;
    const char *finish_reason; /* NULL if the upstream gave none */
    const char *model;         /* as the upstream names it; NULL if it did not */
    const char *id;            /* the upstream's id of the answer; NULL if none */
    struct llmgr_usage usage;
    const char *json; /* invoke: the whole answer as received; stream: NULL */
    void *memory;     /* ours */
};

LLMGR_API void llmgr_answer_clear(struct llmgr_answer *answer);

/* One event of a stream. Pointers live during the callback; what did not come is NULL or 0. */
struct llmgr_chunk {
    const char *content;
    size_t content_size; /* bytes */
    const char *reasoning_content;
    size_t reasoning_content_size;
    const struct llmgr_tool_call *tool_calls;
    size_t tool_call_count;
    const char *finish_reason;
    const struct llmgr_usage *usage;
    const char *json; /* the event as received */
    size_t json_size;
};

/* Return 0 to go on; anything else ends the stream with ERR_CANCELLED. Runs on the calling thread.
 */
typedef int (*llmgr_chunk_fn)(const struct llmgr_chunk *chunk, void *context);

/*
 * Asks and waits for the whole answer; blocks the calling thread. Errors: ERR_KEY_REFUSED (401,
 * 403), ERR_RATE_LIMITED (429), ERR_UPSTREAM (other HTTP errors; err->upstream_status),
 * ERR_UNREACHABLE, ERR_TLS, ERR_TIMEOUT, ERR_CUT, ERR_PROTOCOL, ERR_ADDRESS, ERR_CANCELLED,
 * ERR_INVALID (the request). End `answer` with llmgr_answer_clear.
 *
 * An LLM of a route, or of a model whose platform has several keys for the payer, has candidates:
 * what fails and may succeed elsewhere is asked of the next one, by the rules of the gateway,
 * within the route's attempts and deadline (a model's keys: LLMGR_ROUTE_ATTEMPTS). The payer stays
 * the same. What is known to be broken is shared by all calls of the handle, and is passed over.
 * The route is taken as it is when the call begins. If all fail, the error is that of the first
 * attempt, unless the request itself is at fault, and says who was asked; ERR_UPSTREAM too if no
 * candidate may be asked now; err->retry_after_ms is then when one may be.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_llm_invoke(struct llmgr_llm *llm,
                                                         const struct llmgr_request *request,
                                                         struct llmgr_answer *answer,
                                                         struct llmgr_error *err);
/*
 * Asks for a stream and calls back per event, in order. `answer` (may be NULL) receives the sum of
 * all chunks; on ERR_CUT and ERR_CANCELLED it holds what came before. Errors as for invoke.
 *
 * With more than one candidate nothing is called back before the first text, reasoning or tool call
 * (or the limits in the options), so that of an attempt that fails before the caller has seen
 * nothing; after it no other attempt follows.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_llm_stream(struct llmgr_llm *llm,
                                                         const struct llmgr_request *request,
                                                         llmgr_chunk_fn on_chunk, void *context,
                                                         struct llmgr_answer *answer,
                                                         struct llmgr_error *err);
/*
 * Whether each attempt of the LLM's calls is entered into the ledger, straight into the database,
 * before the call returns; false at first. The rows of one call have one request_id ("lib-…"); a
 * row that cannot be written is logged as an error, and the call's answer is what it is. Not while
 * a call is running.
 */
LLMGR_API void llmgr_llm_record_usage(struct llmgr_llm *llm, bool record);
/* How many attempts at platforms the last call made; 0: nothing was sent. */
LLMGR_API unsigned llmgr_llm_attempts(const struct llmgr_llm *llm);
/*
 * Who answered the last call, or was asked last; before the first call as llmgr_llm_selection.
 * Strings live until the next call, and no longer than the LLM. `memory` is NULL.
 */
LLMGR_API void llmgr_llm_answered(const struct llmgr_llm *llm, struct llmgr_selection *selection);
/*
 * From any thread: ends the call that is running on `llm`, also between two attempts, which returns
 * ERR_CANCELLED. Without a running call it does nothing.
 */
LLMGR_API void llmgr_llm_cancel(struct llmgr_llm *llm);

/* ---- Tokens of the gateway ------------------------------------------------------------------- */

/*
 * What a token may do: XX(NAME, number, "name").
 * USER acts as its user; APP names the user of each request, perhaps only such as begin with a
 * prefix; ADMIN manages.
 */
#define LLMGR_TOKEN_KIND_MAP(XX) XX(USER, 0, "user") XX(APP, 1, "app") XX(ADMIN, 2, "admin")

typedef enum llmgr_token_kind {
#define LLMGR_TOKEN_KIND_ENUM(name, number, text) LLMGR_TOKEN_##name = number,
    LLMGR_TOKEN_KIND_MAP(LLMGR_TOKEN_KIND_ENUM)
#undef LLMGR_TOKEN_KIND_ENUM
} llmgr_token_kind;

/* "user", "app", "admin"; NULL for a number that is no kind. Static. */
LLMGR_API const char *llmgr_token_kind_name(llmgr_token_kind kind);
/* The kind of that name into *kind; false if there is none. */
LLMGR_API bool llmgr_token_kind_parse(const char *name, llmgr_token_kind *kind);

/* A token as it is remembered: everything but the token itself, of which only a digest is kept. */
struct llmgr_token {
    int64_t token_id;
    llmgr_token_kind kind;
    const char *name;   /* "" if none was given */
    const char *user;   /* of a user token; else NULL */
    const char *prefix; /* of an app token: its users begin with it; NULL: any user */
    int64_t created_at_ms;
    bool revoked;
    int64_t revoked_at_ms; /* 0 unless revoked */
    const char *note;      /* for people; NULL: none */
    int64_t expires_at_ms; /* it is refused from then on; 0: never */
    /* What it may use: names with ", " between; NULL: whatever there is. */
    const char *platforms;
    const char *models;
    const char *routes;
    const char *networks;    /* from where: addresses and ranges, likewise; NULL: from anywhere */
    int64_t last_used_at_ms; /* the beginning of the hour of its last use; 0: none is known */
    void *memory;            /* ours; NULL inside a list */
};

struct llmgr_token_list {
    struct llmgr_token *items;
    size_t count;
    void *memory; /* ours */
};

LLMGR_API void llmgr_token_clear(struct llmgr_token *token);
LLMGR_API void llmgr_token_list_clear(struct llmgr_token_list *list);

enum { LLMGR_TOKEN_ROOM = 64 }; /* bytes that hold a token and its NUL */

/*
 * What a token is made with, or what is to change of one. Initialise with llmgr_token_spec_init:
 * nothing is given; what is not given is nothing, or stays as it is.
 *
 * What limits a token: each member narrows it by itself, and all of them count. Lists are names
 * with commas between, up to 4096 bytes each; "" is no limit. A model is named by
 * "platform/display name", "platform/model name", its display name or its model name. A route's
 * targets must be of platforms and models that the token may use; the others are passed over. A
 * gateway of the release before refuses tokens with limits.
 */
struct llmgr_token_spec {
    size_t size;           /* sizeof(struct llmgr_token_spec) */
    llmgr_token_kind kind; /* of a new token, as the next two; USER */
    const char *user;      /* of kind USER: whose it is (NULL: the system user); else ignored */
    const char *prefix;    /* of kind APP: its users begin with it, up to 128 bytes; NULL: any */
    const char *name;      /* for people, up to 80 bytes; NULL: not given, also below */
    const char *note;      /* for people, up to 500 bytes; "": none */
    int64_t expires_at_ms; /* since 1970; 0: never; LLMGR_UNSET: not given */
    const char *platforms; /* names of platforms */
    const char *models;
    const char *routes;   /* names of routes */
    const char *networks; /* "192.0.2.7, 10.0.0.0/8, 2001:db8::/32": from where it may be used */
};

LLMGR_API void llmgr_token_spec_init(struct llmgr_token_spec *spec);

/*
 * Issues a token. `text` receives it, NUL-terminated, for the only time: show it, then wipe it with
 * llmgr_wipe. `token` may be NULL. Errors: ERR_INVALID; ERR_TOO_LARGE (`size` below
 * LLMGR_TOKEN_ROOM, or the user has 1000 tokens); ERR_DATABASE….
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_token_create(struct llmgr *manager,
                                                           const struct llmgr_token_spec *spec,
                                                           char *text, size_t size,
                                                           struct llmgr_token *token,
                                                           struct llmgr_error *err);
/*
 * Changes what is given of a token: name, note and limits; at once in this process, within one
 * second in others. With a `user` only that user's tokens exist, with NULL all. `token`, which may
 * be NULL, receives it as it is then. Errors: ERR_INVALID, ERR_NOT_FOUND, ERR_CONFLICT (it is
 * revoked), ERR_DATABASE….
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_token_update(struct llmgr *manager, const char *user,
                                                           int64_t token_id,
                                                           const struct llmgr_token_spec *spec,
                                                           struct llmgr_token *token,
                                                           struct llmgr_error *err);
/*
 * Tokens by ascending id, revoked ones included: those of one user, or with `user` NULL everybody's
 * and of all kinds. A page begins after `after_id` (0: at the start) and holds at most `limit`
 * (0: 1000, the most).
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_token_list(struct llmgr *manager, const char *user,
                                                         int64_t after_id, size_t limit,
                                                         struct llmgr_token_list *list,
                                                         struct llmgr_error *err);
/*
 * Ends a token for ever: at once in this process, within one second in others. With a `user` only
 * that user's tokens exist, with NULL all. ERR_NOT_FOUND; revoking again changes nothing.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_token_revoke(struct llmgr *manager, const char *user,
                                                           int64_t token_id,
                                                           struct llmgr_error *err);

/* ---- Prices ---------------------------------------------------------------------------------- */

/*
 * What a price has a rate for: XX(NAME, number, "name", PARENT, per). PARENT is the unit of which
 * this one is a part (its own name: of none): counts of the part are taken out of the parent's, so
 * nothing is counted twice, and a unit without a rate has its parent's. `per` is how many of the
 * unit a rate is written for, where people write it: "0.27" is for 1 000 000 tokens, or for one
 * request. Tokens of all units but the last four; seconds are those of audio. Images and seconds
 * are not counted yet: an attempt whose price has a rate for one of them is unpriced.
 */
#define LLMGR_PRICE_UNIT_MAP(XX)                                                                   \
    XX(INPUT, 0, "input", INPUT, 1000000)                                                          \
    XX(CACHED_INPUT, 1, "cached_input", INPUT, 1000000)                                            \
    XX(CACHE_WRITE, 2, "cache_write", INPUT, 1000000) /* for 5 minutes, or for nobody said so long \
                                                       */                                          \
    XX(CACHE_WRITE_1H, 3, "cache_write_1h", CACHE_WRITE, 1000000) /* for an hour */                \
    XX(AUDIO_INPUT, 4, "audio_input", INPUT, 1000000)                                              \
    XX(IMAGE_INPUT, 5, "image_input", INPUT, 1000000)                                              \
    XX(OUTPUT, 6, "output", OUTPUT, 1000000)                                                       \
    XX(REASONING, 7, "reasoning", OUTPUT, 1000000)                                                 \
    XX(AUDIO_OUTPUT, 8, "audio_output", OUTPUT, 1000000)                                           \
    XX(REQUEST, 9, "request", REQUEST, 1)        /* that was answered */                           \
    XX(TOOL_CALL, 10, "tool_call", TOOL_CALL, 1) /* of tools that the platform runs itself */      \
    XX(IMAGE, 11, "image", IMAGE, 1)             /* that was made */                               \
    XX(SECOND, 12, "second", SECOND, 1)          /* of audio */

typedef enum llmgr_price_unit {
#define LLMGR_PRICE_UNIT_ENUM(name, number, text, parent, per) LLMGR_PRICE_UNIT_##name = number,
    LLMGR_PRICE_UNIT_MAP(LLMGR_PRICE_UNIT_ENUM)
#undef LLMGR_PRICE_UNIT_ENUM
} llmgr_price_unit;

#define LLMGR_PRICE_UNIT_ONE(...) +1
enum { LLMGR_PRICE_UNIT_COUNT = 0 LLMGR_PRICE_UNIT_MAP(LLMGR_PRICE_UNIT_ONE) };
#undef LLMGR_PRICE_UNIT_ONE

/* A name as in the map, NULL for a number that is none. Static. */
LLMGR_API const char *llmgr_price_unit_name(llmgr_price_unit unit);
/* The unit of that name; false, and nothing written, if there is none. */
LLMGR_API bool llmgr_price_unit_parse(const char *name, llmgr_price_unit *unit);
/* How many of the unit people write a rate for: 1000000 of tokens, 1 of what is counted singly. */
LLMGR_API int64_t llmgr_price_unit_per(llmgr_price_unit unit);

/* Bounds of prices. A rate is an integer of pico-units (10^-12) of its currency per unit. */
#define LLMGR_RATE_MAX INT64_C(1000000000000000000) /* a million of a currency for one unit */
enum {
    LLMGR_RATE_TEXT_SIZE = 40,      /* bytes that a rate or an amount needs as text, with its NUL */
    LLMGR_PRICES_MAX = 200000,      /* that are in force or will be */
    LLMGR_PRICES_PAGE_MAX = 1000,   /* that one llmgr_prices gives */
    LLMGR_PRICE_MODEL_MAX = 120,    /* bytes of a pattern */
    LLMGR_PRICE_TIER_MAX = 32,      /* bytes of a service tier */
    LLMGR_PRICE_HOURS_MAX = 64,     /* bytes */
    LLMGR_PRICE_TIME_ZONE_MAX = 64, /* bytes */
    LLMGR_PRICE_SOURCE_MAX = 32,    /* bytes */
};

/*
 * Reads a decimal such as "0.27" or "2.7e-07", an amount of a currency for `per` units, as
 * pico-units per unit, exactly: 0.27 per 1 000 000 is 270000. ERR_INVALID says what is wrong: no
 * decimal (NaN, Inf, hexadecimal, spaces, empty), negative, over LLMGR_RATE_MAX, or finer than a
 * pico-unit per unit, for nothing is rounded. `per` is positive.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_rate_parse(const char *text, int64_t per,
                                                         int64_t *rate, struct llmgr_error *err);
/*
 * Writes a rate as people read it, exactly and without trailing zeros: 270000 per 1 000 000 is
 * "0.27". `text` has room for LLMGR_RATE_TEXT_SIZE bytes; what llmgr_rate_parse reads from it is
 * the same rate. `per` is 1 or 1 000 000; "" for a negative rate.
 */
LLMGR_API void llmgr_rate_format(int64_t rate, int64_t per, char *text);
/* Writes an amount of nano-units (10^-9 of a currency) likewise: 1234500000 is "1.2345". */
LLMGR_API void llmgr_amount_format(int64_t nano, char *text);

/*
 * A price: what it matches, under which conditions, and the rates of some units. It is never
 * changed: a new one for the same match and conditions ends it, and it stays for the rows of the
 * ledger that name it.
 *
 * The price of an attempt is found when the attempt begins, among those in force at that moment
 * (from_ms <= t < until_ms) whose conditions hold, by what is more special: one that names the
 * platform; then an exact model; then the pattern with more letters; then one that names the
 * answer's service tier; then one with hours; then the largest above_tokens. That one decides
 * alone, of the whole request.
 */
struct llmgr_price {
    int64_t price_id;
    int64_t platform_id;       /* a system platform; 0: any platform, private ones too */
    const char *platform_name; /* NULL: any, or the platform is gone */
    const char *model;         /* the model name that the platform is asked for, or a pattern of
                                  which one '*' is anything */
    const char *currency;      /* three capitals, ISO 4217: "USD" */
    int64_t from_ms;           /* since 1970, in force from here */
    int64_t until_ms;          /* and before this; 0: it has no end */
    int64_t above_tokens;      /* if there are more prompt tokens than this, cached ones included;
                                  0: however many */
    const char *service_tier; /* if the answer tells of this tier: "batch", "flex", "priority", …;
                                 NULL: whatever it tells */
    const char *hours;        /* "16:30-00:30", "mon-fri 09:00-18:00": local times of day, the
                                 weekday being that of the beginning; NULL: always */
    const char *time_zone;    /* of the hours: "UTC", "Asia/Shanghai"; NULL: there are no hours */
    const char *source;       /* "hand": llmgr_price_set; "file": llmgr.yaml; else where it was
                                 imported from: "litellm", "models.dev", … */
    int64_t created_at_ms;    /* since 1970 */
    int64_t rates[LLMGR_PRICE_UNIT_COUNT]; /* pico-units per unit; LLMGR_UNSET: it has none */
};

/* Which prices are wanted. Initialise with llmgr_price_query_init: those in force or to come. */
struct llmgr_price_query {
    size_t size;         /* sizeof(struct llmgr_price_query) */
    int64_t platform_id; /* only those that name this platform; 0: all */
    const char *model;   /* only those of exactly this model or pattern; NULL: all */
    const char *source;  /* only those from there; NULL: all */
    bool ended;          /* those that have ended as well */
    int64_t after;       /* a page's last price_id: go on behind it; 0: from the start */
    size_t limit;        /* prices per page; 0: LLMGR_PRICES_PAGE_MAX, the most */
};

struct llmgr_price_list {
    struct llmgr_price *items; /* by price_id */
    size_t count;
    bool more;    /* there are further pages */
    void *memory; /* ours */
};

LLMGR_API void llmgr_price_query_init(struct llmgr_price_query *query);
LLMGR_API void llmgr_price_list_clear(struct llmgr_price_list *list);

/*
 * Prices of all sources, a page at a time. `query` may be NULL: the first page of those in force
 * or to come. Every user may read them. ERR_INVALID names the member; ERR_DATABASE….
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_prices(struct llmgr *manager, const char *user,
                                                     const struct llmgr_price_query *query,
                                                     struct llmgr_price_list *list,
                                                     struct llmgr_error *err);

/* A price that is to be. Initialise with llmgr_price_spec_init: nothing is given. */
struct llmgr_price_spec {
    size_t size;          /* sizeof(struct llmgr_price_spec) */
    int64_t platform_id;  /* a system platform; 0: any */
    const char *model;    /* NULL: "*", every model */
    const char *currency; /* NULL: "USD" */
    int64_t from_ms;      /* 0: now */
    int64_t until_ms;     /* 0: until the next price for the same, or without end */
    int64_t above_tokens; /* as in struct llmgr_price, also below */
    const char *service_tier;
    const char *hours;
    const char *time_zone;                 /* with hours; NULL: "UTC" */
    int64_t rates[LLMGR_PRICE_UNIT_COUNT]; /* LLMGR_UNSET: none; one at least is given */
};

LLMGR_API void llmgr_price_spec_init(struct llmgr_price_spec *spec);

/*
 * Sets a price by hand. The one for the same match and conditions that is in force at from_ms ends
 * there, so that what was used before keeps its cost; where that one is the same in all, nothing
 * is done, and `price_id` is its number. A price for the same that begins later stays: the new one
 * ends where it begins. What has been used is never priced anew: a from_ms in the past changes
 * nothing in the ledger. `price_id` may be NULL. The operator only: the system user.
 *
 * Errors: ERR_INVALID names the member (a currency that is not three capitals, a rate that is
 * negative or over LLMGR_RATE_MAX, hours that are none, until_ms not after from_ms); ERR_NOT_FOUND
 * for a platform that is none, and for a time zone that the system's tzdata (RFC 9636) does not
 * have; ERR_FORBIDDEN for another user, for a private platform, and where llmgr.yaml has a price
 * for the same; ERR_CONFLICT where until_ms lies behind the beginning of a later price for the
 * same; ERR_TOO_LARGE at LLMGR_PRICES_MAX; ERR_DATABASE….
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_price_set(struct llmgr *manager, const char *user,
                                                        const struct llmgr_price_spec *spec,
                                                        int64_t *price_id, struct llmgr_error *err);
/*
 * Ends a price now, or one that has not begun before it begins: its row stays for the ledger. What
 * it had ended stays ended. The operator only. ERR_NOT_FOUND for a number that is none and for a
 * price that has ended; ERR_FORBIDDEN for another user and for what llmgr.yaml manages.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_price_delete(struct llmgr *manager, const char *user,
                                                           int64_t price_id,
                                                           struct llmgr_error *err);

/*
 * What became of an imported price, XX(NAME, number, "name"): there was none for the same before;
 * it took the place of one that said something else; there is one that says the same; the one that
 * is there was set by hand or in llmgr.yaml, and stays.
 */
#define LLMGR_PRICE_IMPORT_RESULT_MAP(XX)                                                          \
    XX(NEW, 0, "new")                                                                              \
    XX(CHANGED, 1, "changed")                                                                      \
    XX(SAME, 2, "same")                                                                            \
    XX(KEPT, 3, "kept")

typedef enum llmgr_price_import_result {
#define LLMGR_PRICE_IMPORT_RESULT_ENUM(name, number, text) LLMGR_PRICE_IMPORT_##name = number,
    LLMGR_PRICE_IMPORT_RESULT_MAP(LLMGR_PRICE_IMPORT_RESULT_ENUM)
#undef LLMGR_PRICE_IMPORT_RESULT_ENUM
} llmgr_price_import_result;

/* This system platform is that provider of a catalogue. */
struct llmgr_price_map {
    const char *platform; /* its name, or its number */
    const char *provider; /* as the catalogue calls it; in our own form, a platform_name */
};

/* How prices are imported. Initialise with llmgr_price_import_options_init. */
struct llmgr_price_import_options {
    size_t size;        /* sizeof(struct llmgr_price_import_options) */
    const char *name;   /* of the text, for errors: a file's name. NULL: "prices" */
    const char *source; /* of the prices that are made; NULL: the name of the text's form */
    const struct llmgr_price_map *maps;
    size_t map_count;
    bool all_models;   /* every model of the provider; else those that the platform has */
    bool replace_hand; /* also in place of prices set by hand, never of those in llmgr.yaml */
    bool dry_run;      /* nothing is written: only what would become of each is told */
};

struct llmgr_price_import_item {
    llmgr_price_import_result result;
    struct llmgr_price price;    /* as imported; price_id is that of the one in force now, 0 of one
                                    that a dry run did not make; created_at_ms is 0 */
    int64_t former_id;           /* of the price that it met for the same; 0: there was none, */
    const char *former_currency; /* or NULL, */
    int64_t former_rates[LLMGR_PRICE_UNIT_COUNT]; /* and these are LLMGR_UNSET */
};

/* Something that was not understood, so that it was left out. */
struct llmgr_price_import_strange {
    const char *name;  /* of the member, or what was met */
    const char *model; /* one that has it; "": it is about none */
    int64_t count;     /* how often it was met */
};

struct llmgr_price_import_report {
    const char *form;    /* of the text: "litellm", "models.dev", "openrouter" or "llmgr" */
    bool dry_run;        /* nothing was written */
    int64_t model_count; /* models that stand in the text; of our own form, prices */
    int64_t taken_count; /* of these, those of the platforms' models */
    int64_t new_count;   /* prices by result, also below */
    int64_t changed_count;
    int64_t same_count;
    int64_t kept_count;
    struct llmgr_price_import_item *items; /* in the text's order */
    size_t item_count;
    struct llmgr_price_import_strange *strange; /* for at most 100 names */
    size_t strange_count;
    int64_t strange_others; /* how often something beyond them was met */
    void *memory;           /* ours */
};

LLMGR_API void llmgr_price_import_options_init(struct llmgr_price_import_options *options);
LLMGR_API void llmgr_price_import_report_clear(struct llmgr_price_import_report *report);

/*
 * Imports prices from `size` bytes of text, at most 16 MiB, of which nothing is kept: LiteLLM's
 * model_prices_and_context_window.json, models.dev's api.json, OpenRouter's answer to GET
 * /api/v1/models, or what `llmgr price list --json` and GET /api/prices write, also as YAML. Which
 * it is is found out. All of it is imported in one transaction, or nothing.
 *
 * A platform is asked for as the provider that `maps` say, or else as the one whose documented
 * address its base_url has (LiteLLM, models.dev and OpenRouter); in our own form, as the
 * platform_name that is its name. Nothing else is guessed. Of a provider's models those are taken
 * that the platform has by that name, of our own form all.
 *
 * Rates are read from the text's digits (noise of what others computed is rounded off). What is not
 * understood is left out and told in the report, a member that makes a price another one with that
 * price. Of two for the same that have begun the later one counts. Importing the same again changes
 * nothing. The operator only: the system user. `options` may be NULL.
 *
 * Errors: ERR_INVALID for a text that is none of these, malformed, or nested more than 64 levels
 * deep, and for a price that llmgr_price_set would refuse so; ERR_NOT_FOUND for a platform of
 * `maps` that is none; ERR_TOO_LARGE; ERR_FORBIDDEN for another user; ERR_DATABASE….
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status
llmgr_price_import(struct llmgr *manager, const char *user, const void *text, size_t size,
                   const struct llmgr_price_import_options *options,
                   struct llmgr_price_import_report *report, struct llmgr_error *err);

/* ---- Usage ----------------------------------------------------------------------------------- */

/* Where the token counts of a row come from: XX(NAME, number, "name"). */
#define LLMGR_PROVENANCE_MAP(XX)                                                                   \
    XX(UNKNOWN, 0, "unknown")     /* nobody told */                                                \
    XX(REPORTED, 1, "reported")   /* by the upstream */                                            \
    XX(ESTIMATED, 2, "estimated") /* by us */                                                      \
    XX(PARTIAL, 3, "partial")     /* reported, but the answer did not end */

typedef enum llmgr_provenance {
#define LLMGR_PROVENANCE_ENUM(name, number, text) LLMGR_PROVENANCE_##name = number,
    LLMGR_PROVENANCE_MAP(LLMGR_PROVENANCE_ENUM)
#undef LLMGR_PROVENANCE_ENUM
} llmgr_provenance;

/* How an attempt ended: XX(NAME, number, "name"). */
#define LLMGR_END_MAP(XX)                                                                          \
    XX(COMPLETED, 0, "completed")                                                                  \
    XX(UPSTREAM_ERROR, 1, "upstream_error") /* refused, unreachable, or it is an error itself */   \
    XX(UPSTREAM_CUT, 2, "upstream_cut")     /* the answer broke off */                             \
    XX(CLIENT_GONE, 3, "client_gone")       /* the caller left */                                  \
    XX(LIMIT_CUT, 4, "limit_cut")           /* one of our limits ended it */

typedef enum llmgr_end_state {
#define LLMGR_END_ENUM(name, number, text) LLMGR_END_##name = number,
    LLMGR_END_MAP(LLMGR_END_ENUM)
#undef LLMGR_END_ENUM
} llmgr_end_state;

/* Names as in the maps, NULL for a number that is none. Static. */
LLMGR_API const char *llmgr_provenance_name(llmgr_provenance provenance);
LLMGR_API const char *llmgr_end_name(llmgr_end_state end_state);

/* One attempt at an upstream. Initialise with llmgr_usage_record_init. */
struct llmgr_usage_record {
    size_t size;            /* sizeof(struct llmgr_usage_record) */
    const char *request_id; /* up to 64 bytes; required */
    int attempt;            /* from 1 */
    int64_t time_ms;        /* since 1970; 0: now */
    const char *user;       /* NULL: the system user */
    int64_t token_id;       /* 0: none, also below */
    int64_t platform_id;
    const char *platform_name; /* the names at the time; NULL: none */
    int64_t model_id;
    const char *model_name;
    const char *slot;      /* NULL: named by model */
    const char *endpoint;  /* "chat/completions", … up to 32 bytes; NULL: none */
    const char *payer;     /* "user", "system" or NULL */
    int64_t prompt_tokens; /* -1: unknown (the default), also below */
    int64_t completion_tokens;
    int64_t cached_tokens;    /* part of prompt_tokens */
    int64_t reasoning_tokens; /* part of completion_tokens */
    llmgr_provenance provenance;
    llmgr_end_state end_state;
    int upstream_status;           /* HTTP status; 0: no answer */
    int64_t latency_ms;            /* -1: unknown */
    int64_t first_byte_ms;         /* -1: none came */
    int64_t bytes_in;              /* of the request's body; -1: unknown */
    int64_t bytes_out;             /* of the answer's body; -1: unknown */
    int64_t cache_write_tokens;    /* part of prompt_tokens; -1: unknown, also below */
    int64_t cache_write_1h_tokens; /* part of cache_write_tokens */
    int64_t audio_input_tokens;    /* part of prompt_tokens */
    int64_t audio_output_tokens;   /* part of completion_tokens */
    int64_t image_input_tokens;    /* part of prompt_tokens */
    int64_t tool_calls;            /* of tools that the platform hosts */
    const char *service_tier;      /* that the answer names, up to 32 bytes; NULL: none */
    int64_t cost_nano;             /* in 10^-9 of `currency`; -1: unpriced */
    const char *currency;          /* ISO 4217, "USD"; required with cost_nano; NULL: none */
    int64_t price_id;              /* the price that decided; 0: none */
    int64_t reported_cost_nano;    /* what the platform says, in its own currency; -1: nothing */
};

LLMGR_API void llmgr_usage_record_init(struct llmgr_usage_record *record);

/*
 * Enters one attempt, straight into the database: for hosts that call upstreams themselves. It
 * stands there when the call returns. Errors: ERR_INVALID names the member; ERR_DATABASE….
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_usage_add(struct llmgr *manager,
                                                        const struct llmgr_usage_record *record,
                                                        struct llmgr_error *err);

/* By what sums are told apart: XX(NAME, number, "name"). */
#define LLMGR_USAGE_BY_MAP(XX)                                                                     \
    XX(MODEL, 0, "model")                                                                          \
    XX(USER, 1, "user")                                                                            \
    XX(PLATFORM, 2, "platform")                                                                    \
    XX(SLOT, 3, "slot")                                                                            \
    XX(DAY, 4, "day") /* of UTC */                                                                 \
    XX(TOKEN, 5, "token")                                                                          \
    XX(PAYER, 6, "payer")                                                                          \
    XX(HOUR, 7, "hour") /* of UTC */

typedef enum llmgr_usage_by {
#define LLMGR_USAGE_BY_ENUM(name, number, text) LLMGR_USAGE_BY_##name = number,
    LLMGR_USAGE_BY_MAP(LLMGR_USAGE_BY_ENUM)
#undef LLMGR_USAGE_BY_ENUM
} llmgr_usage_by;

/* Initialise with llmgr_usage_query_init: by model, of all users, of all times. */
struct llmgr_usage_query {
    size_t size; /* sizeof(struct llmgr_usage_query) */
    llmgr_usage_by by;
    const char *user;  /* NULL: all users */
    int64_t since_ms;  /* since 1970; 0: no bound. Begins with the hour (UTC) this lies in */
    int64_t until_ms;  /* exclusive; 0: no bound. Ends with the hour it lies in */
    const char *after; /* a page's last `key`: go on behind it; NULL: from the start */
    size_t limit;      /* sums per page; 0: 1000, the most */
};

LLMGR_API void llmgr_usage_query_init(struct llmgr_usage_query *query);

/* What was spent in one currency. */
struct llmgr_usage_cost {
    const char *currency; /* ISO 4217, "USD" */
    int64_t nano;         /* in 10^-9 of it; at INT64_C(1) << 62 it is that or more */
    const char *amount;   /* the same as an exact decimal, "1.2345" */
};

/* One sum. A count is -1 if it was unknown in every row; if only in some, it sums the others. */
struct llmgr_usage_sum {
    const char *key;            /* what `after` takes: an id, user, slot, payer, day or hour */
    const char *name;           /* for people: "platform / model", user, …; "" if there is none */
    int64_t requests;           /* first attempts */
    int64_t attempts;           /* rows */
    int64_t completed;          /* of the attempts */
    int64_t unknown;            /* attempts of which neither prompt nor completion is known */
    int64_t inexact;            /* attempts that were estimated, or reported in part */
    int64_t unpriced;           /* attempts that used something and whose cost is not known */
    int64_t system_paid;        /* attempts with the administrator's key */
    int64_t prompt_tokens;      /* -1: unknown, also below */
    int64_t completion_tokens;  /* includes reasoning */
    int64_t cached_tokens;      /* part of prompt_tokens */
    int64_t reasoning_tokens;   /* part of completion_tokens */
    int64_t cache_write_tokens; /* part of prompt_tokens */
    int64_t cache_write_1h_tokens;  /* part of cache_write_tokens */
    int64_t audio_input_tokens;     /* part of prompt_tokens */
    int64_t audio_output_tokens;    /* part of completion_tokens */
    int64_t image_input_tokens;     /* part of prompt_tokens */
    int64_t tool_calls;             /* of tools that platforms host */
    struct llmgr_usage_cost *costs; /* by currency, ascending: what is known of its attempts */
    size_t cost_count;
};

struct llmgr_usage_list {
    struct llmgr_usage_sum *items; /* ascending by key; ids by their number */
    size_t count;
    bool more;                    /* there are further pages */
    struct llmgr_usage_sum total; /* over all pages; key and name are "" */
    void *memory;                 /* ours */
};

LLMGR_API void llmgr_usage_list_clear(struct llmgr_usage_list *list);

/*
 * Sums of usage, read from the hourly roll-up: the cost grows with hours and users, not with
 * requests. What a running gateway has journalled but not yet written is not in it (normally less
 * than a tenth of a second). ERR_INVALID names the member.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_usage_query(struct llmgr *manager,
                                                          const struct llmgr_usage_query *query,
                                                          struct llmgr_usage_list *list,
                                                          struct llmgr_error *err);

/* One request's attempts. */
struct llmgr_usage_attempts {
    struct llmgr_usage_record *items; /* in the order in which they ended */
    size_t count;                     /* at most 100 */
    void *memory;                     /* ours */
};

LLMGR_API void llmgr_usage_attempts_clear(struct llmgr_usage_attempts *attempts);

/*
 * The attempts of the request of this id: of this `user`, or of anybody (NULL). An id that the
 * gateway or the library made says when the request began, so only the hours around it are looked
 * through; for others `since_ms` and `until_ms` (since 1970, whole hours; 0: a day ago, now) say
 * where to look. What a running gateway has journalled but not yet written is not found.
 * ERR_NOT_FOUND: there is none, or it is another user's; ERR_INVALID: that is no id, or more than
 * 31 days are to be looked through.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_usage_request(struct llmgr *manager, const char *user,
                                                            const char *request_id,
                                                            int64_t since_ms, int64_t until_ms,
                                                            struct llmgr_usage_attempts *attempts,
                                                            struct llmgr_error *err);

/* ---- Probe ----------------------------------------------------------------------------------- */

struct llmgr_probe {
    struct llmgr_probe_model {
        const char *id;
        const char *raw;           /* the list's entry as JSON */
        llmgr_model_kind kind;     /* what the entry says, or LLMGR_MODEL_UNKNOWN */
        int64_t context_tokens;    /* likewise, or 0 */
        int64_t max_output_tokens; /* likewise */
    } * models;
    size_t count;
    void *memory; /* ours */
};

LLMGR_API void llmgr_probe_clear(struct llmgr_probe *probe);

/*
 * Asks GET {base_url}/models with the key (NULL: none). `timeout_ms` bounds the whole call (0: 8
 * seconds). For users other than the system user the egress policy of private platforms applies.
 * Errors: ERR_KEY_REFUSED (401, 403), ERR_UPSTREAM (another HTTP error), ERR_NO_LIST (no "data"
 * list), ERR_UNREACHABLE, ERR_TLS, ERR_TIMEOUT, ERR_ADDRESS, ERR_INVALID.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_probe_url(struct llmgr *manager, const char *user,
                                                        const char *base_url, const char *api_key,
                                                        int64_t timeout_ms,
                                                        struct llmgr_probe *probe,
                                                        struct llmgr_error *err);
/* The same for a platform the user can see, with the key that resolve would use. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_probe(struct llmgr *manager,
                                                             const char *user, int64_t platform_id,
                                                             int64_t timeout_ms,
                                                             struct llmgr_probe *probe,
                                                             struct llmgr_error *err);

/* ---- Test ------------------------------------------------------------------------------------ */

/* What came of one cheap real request with one key. */
struct llmgr_key_test {
    const char *fingerprint; /* of the key, "key:1a2b3c4d", as llmgr_platform_keys tells it */
    const char *payer;       /* "user": the user's own; "system": the server's */
    const char *model_name;  /* the platform's name of the model that was asked */
    bool reachable;          /* an HTTP answer came, whatever it says */
    const char *key_state;   /* "good"; "refused"; "unknown": what came says nothing of it */
    const char *reason;  /* why it ended so, as cells have it: "answered", "key", "billing", … */
    llmgr_status status; /* LLMGR_OK: it was answered */
    const char *message; /* for people; empty if it was answered */
    int64_t upstream_status; /* HTTP status of the platform; 0: none came */
    int64_t first_byte_ms;   /* ms from the request to the head of the answer; -1: none came */
};

struct llmgr_key_test_list {
    struct llmgr_key_test *items;
    size_t count;
    int64_t
        untested; /* keys that were not asked, for the platform does not answer, or time is up */
    void *memory; /* ours */
};

LLMGR_API void llmgr_key_test_list_clear(struct llmgr_key_test_list *list);
/*
 * Asks a platform with each key that the user has for it, in their order: a chat of one token with
 * its first model that chats (so it costs a few tokens each, and is a row of the ledger with
 * "platform/test" as its endpoint). A user's own keys; for the system user the server's. Blocks: at
 * most 20 s for a key, and no further key is asked once a minute is over or the platform does not
 * answer at all. What a platform says is quoted for the system user only.
 *
 * Errors: ERR_NOT_FOUND (no such platform, or no model to ask), ERR_NO_KEY, ERR_FORBIDDEN (the user
 * has no key of his own, and the server's is not his to test), ERR_LIMIT (more than ten tests a
 * minute of a user, or two at once in the process; err->retry_after_ms says how long to wait).
 * That a key is refused is no error but what its test tells.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_platform_test(struct llmgr *manager, const char *user,
                                                            int64_t platform_id,
                                                            struct llmgr_key_test_list *list,
                                                            struct llmgr_error *err);

/* ---- Keeping house --------------------------------------------------------------------------- */

struct llmgr_db_report {
    const char *database; /* without a password */
    const char *kind;     /* "sqlite" or "postgres" */
    const char *version;  /* of the linked SQLite, or of the server */
    const char *warning;  /* e.g. a version with a known bug; NULL if none */
    int64_t schema_version;
    int64_t size;      /* bytes; -1 unknown */
    int64_t platforms; /* rows */
    int64_t models;
    int64_t users;           /* distinct users with a row */
    int64_t unreadable_keys; /* sealed keys that do not open for their address */
    void *memory;            /* ours */
};

LLMGR_API void llmgr_db_report_clear(struct llmgr_db_report *report);
/* Integrity of file and rows; opens each sealed key. ERR_DATABASE names what is broken. */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_db_check(struct llmgr *manager,
                                                       struct llmgr_db_report *report,
                                                       struct llmgr_error *err);
/*
 * Writes a verified copy of a running SQLite database to a new file (mode 0600). ERR_INVALID on
 * PostgreSQL: use pg_dump. Without the master key a copy's keys cannot be read.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_db_backup(struct llmgr *manager, const char *path,
                                                        struct llmgr_error *err);

struct llmgr_key_report {
    struct llmgr_data_key {
        int64_t id;
        bool active;           /* seals new records */
        int64_t records;       /* how many it has sealed that still stand */
        int64_t created_at_ms; /* since 1970 */
    } * keys;
    size_t count;
    const char *master_id; /* 8 hex digits that tell master keys apart */
    int64_t rotated;       /* records resealed by this call (dry run: to reseal) */
    int64_t retired;       /* data keys dropped by this call */
    void *memory;          /* ours */
};

LLMGR_API void llmgr_key_report_clear(struct llmgr_key_report *report);
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_key_status(struct llmgr *manager,
                                                         struct llmgr_key_report *report,
                                                         struct llmgr_error *err);
/*
 * Makes a new data key and reseals every record under it, in small transactions beside running
 * traffic; an interrupted rotation goes on where it stopped. Old data keys are dropped when they
 * seal nothing. With `dry_run` only counts. `report` may be NULL.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_key_rotate(struct llmgr *manager, bool dry_run,
                                                         struct llmgr_key_report *report,
                                                         struct llmgr_error *err);
/*
 * Wraps the data keys with another master key, read from (or, if absent, made in) `key_file`.
 * From then on the database opens with that one only.
 */
LLMGR_API LLMGR_MUST_CHECK llmgr_status llmgr_key_rewrap(struct llmgr *manager,
                                                         const char *key_file,
                                                         struct llmgr_error *err);

#ifdef __cplusplus
}
#endif

#endif
