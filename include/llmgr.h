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
 * part of the ABI: never reused, never renumbered.
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
    XX(ERR_CONFLICT, 20, 409, 5, "conflict with an existing object")                               \
    XX(ERR_NO_KEY, 30, 403, 6, "no usable API key")                                                \
    XX(ERR_KEY_REFUSED, 40, 401, 7, "the upstream refused the API key")                            \
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
    XX(ERR_INTERNAL, 63, 500, 1, "internal error")

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
    int upstream_status;  /* HTTP status the upstream answered with; 0 if none */
    int64_t retry_after_ms; /* how long the upstream asked to wait; -1 or 0 if it did not */
    char message[512];    /* UTF-8, NUL-terminated, cut at a character boundary */
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

#ifdef __cplusplus
}
#endif

#endif
