/* SPDX-License-Identifier: MIT */
/*
 * Two tables, the words for HTTP statuses and the rows of our own failures, and the writers of the
 * three shapes. What a platform says is quoted as text, never as structure.
 */
#include "dialect/error_write.h"

#include <stdio.h>

#include "base/error.h"
#include "dialect/error_read.h"
#include "dialect/said.h"
#include "json/write.h"

enum {
    MESSAGE_MAX = 2000, /* bytes of a message in a body */
    WORD_MAX = 128,     /* of a code or param that a platform gave */
};

#define TEXT(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

/* ---- HTTP statuses --------------------------------------------------------------------------- */

struct http_words {
    int from, to;
    struct lb_str type;      /* OpenAI's */
    struct lb_str code;      /* OpenAI's; empty: null */
    struct lb_str anthropic; /* Anthropic's type */
    enum ld_retry retry;
    bool retry_after;
};

/* Looked through in order. */
static const struct http_words HTTP_WORDS[] = {
    {401, 401, TEXT("invalid_request_error"), TEXT("invalid_api_key"), TEXT("authentication_error"),
     LD_RETRY_NO, false},
    {402, 402, TEXT("insufficient_quota"), TEXT("insufficient_quota"), TEXT("billing_error"),
     LD_RETRY_NO, false},
    {403, 403, TEXT("permission_error"), TEXT("permission_denied"), TEXT("permission_error"),
     LD_RETRY_NO, false},
    {404, 404, TEXT("invalid_request_error"), TEXT("not_found"), TEXT("not_found_error"),
     LD_RETRY_NO, false},
    {405, 405, TEXT("invalid_request_error"), TEXT("method_not_allowed"),
     TEXT("invalid_request_error"), LD_RETRY_NO, false},
    {408, 408, TEXT("server_error"), TEXT("request_timeout"), TEXT("api_error"), LD_RETRY_UNSAID,
     false},
    {409, 409, TEXT("invalid_request_error"), TEXT("conflict"), TEXT("invalid_request_error"),
     LD_RETRY_NO, false},
    {413, 413, TEXT("invalid_request_error"), TEXT("request_too_large"), TEXT("request_too_large"),
     LD_RETRY_NO, false},
    {415, 415, TEXT("invalid_request_error"), TEXT("unsupported_media_type"),
     TEXT("invalid_request_error"), LD_RETRY_NO, false},
    {426, 426, TEXT("invalid_request_error"), TEXT("upgrade_required"),
     TEXT("invalid_request_error"), LD_RETRY_NO, false},
    {429, 429, TEXT("rate_limit_error"), TEXT("rate_limit_exceeded"), TEXT("rate_limit_error"),
     LD_RETRY_UNSAID, true},
    {400, 499, TEXT("invalid_request_error"), TEXT(""), TEXT("invalid_request_error"), LD_RETRY_NO,
     false},
    {502, 502, TEXT("server_error"), TEXT("upstream_error"), TEXT("api_error"), LD_RETRY_UNSAID,
     false},
    {503, 503, TEXT("server_error"), TEXT("service_unavailable"), TEXT("overloaded_error"),
     LD_RETRY_UNSAID, true},
    {504, 504, TEXT("server_error"), TEXT("upstream_timeout"), TEXT("api_error"), LD_RETRY_UNSAID,
     false},
    {529, 529, TEXT("server_error"), TEXT("overloaded"), TEXT("overloaded_error"), LD_RETRY_UNSAID,
     true},
    {0, 999, TEXT("server_error"), TEXT(""), TEXT("api_error"), LD_RETRY_UNSAID, false},
};

static const struct http_words *words_of(int http_status)
{
    const struct http_words *row = HTTP_WORDS;

    while (row < HTTP_WORDS + sizeof HTTP_WORDS / sizeof *row - 1 &&
           (http_status < row->from || http_status > row->to))
        row++;
    return row;
}

void ld_problem_of_http(int http_status, struct ld_problem *problem)
{
    const struct http_words *words = words_of(http_status);

    *problem = (struct ld_problem){
        .http_status = http_status,
        .retry = words->retry,
        .retry_after = words->retry_after,
        .code = words->code,
    };
}

/* ---- Our own failures ------------------------------------------------------------------------ */

/* What says more than the row of the HTTP status (LLMGR_STATUS_MAP) would. */
static const struct own_words {
    llmgr_status status;
    struct lb_str code;
    struct lb_str param;
    enum ld_retry retry;
} OWN_WORDS[] = {
    {LLMGR_ERR_INVALID, TEXT("invalid_request"), TEXT(""), LD_RETRY_NO},
    {LLMGR_ERR_CONFIG, TEXT("server_misconfigured"), TEXT(""), LD_RETRY_NO},
    {LLMGR_ERR_NOT_FOUND, TEXT("model_not_found"), TEXT("model"), LD_RETRY_NO},
    {LLMGR_ERR_MODE, TEXT("not_allowed_in_mode"), TEXT(""), LD_RETRY_NO},
    {LLMGR_ERR_ADDRESS, TEXT("address_refused"), TEXT(""), LD_RETRY_NO},
    {LLMGR_ERR_LOOP, TEXT("loop_detected"), TEXT(""), LD_RETRY_NO},
    {LLMGR_ERR_NO_KEY, TEXT("no_usable_key"), TEXT("model"), LD_RETRY_NO},
    {LLMGR_ERR_KEY_REFUSED, TEXT("upstream_key_refused"), TEXT(""), LD_RETRY_NO},
    {LLMGR_ERR_UNREACHABLE, TEXT("upstream_unreachable"), TEXT(""), LD_RETRY_UNSAID},
    {LLMGR_ERR_PROTOCOL, TEXT("upstream_protocol_error"), TEXT(""), LD_RETRY_UNSAID},
    {LLMGR_ERR_CUT, TEXT("upstream_cut"), TEXT(""), LD_RETRY_UNSAID},
    {LLMGR_ERR_TLS, TEXT("upstream_tls_error"), TEXT(""), LD_RETRY_NO},
    {LLMGR_ERR_VAULT, TEXT("secret_store_error"), TEXT(""), LD_RETRY_NO},
    {LLMGR_ERR_INTERNAL, TEXT("internal_error"), TEXT(""), LD_RETRY_UNSAID},
    {LLMGR_ERR_LIMIT, TEXT("server_limit_reached"), TEXT(""), LD_RETRY_UNSAID},
    {LLMGR_ERR_OVERLOADED, TEXT("server_overloaded"), TEXT(""), LD_RETRY_UNSAID},
    {LLMGR_ERR_JOURNAL_FULL, TEXT("usage_journal_full"), TEXT(""), LD_RETRY_UNSAID},
    {LLMGR_ERR_TOO_SLOW, TEXT("request_timeout"), TEXT(""), LD_RETRY_NO},
};

void ld_problem_of(llmgr_status status, struct ld_problem *problem)
{
    ld_problem_of_http(llmgr_status_http(status), problem);
    for (size_t i = 0; i < sizeof OWN_WORDS / sizeof OWN_WORDS[0]; i++) {
        if (OWN_WORDS[i].status != status)
            continue;
        problem->code = OWN_WORDS[i].code;
        problem->param = OWN_WORDS[i].param;
        problem->retry = OWN_WORDS[i].retry;
    }
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* A JSON string of at most `max` bytes of text, mended if it is no UTF-8. */
static void write_text(struct lb_str text, size_t max, struct lb_buf *out)
{
    struct lb_buf clean;

    if (text.size <= max && (text.size == 0 || lb_utf8_valid(text))) {
        lj_json_write_str(text, out);
        return;
    }
    lb_buf_init(&clean, out->host, max + 16);
    ld_clean_text(text, max, &clean);
    lj_json_write_str(lb_buf_str(&clean), out);
    lb_buf_free(&clean);
}

static void write_or_null(struct lb_str text, struct lb_buf *out)
{
    if (text.size > 0)
        write_text(text, WORD_MAX, out);
    else
        lb_buf_add_c(out, "null");
}

static struct lb_str type_of(enum ld_shape shape, const struct ld_problem *problem)
{
    const struct http_words *words = words_of(problem->http_status);

    if (problem->type.size > 0)
        return problem->type;
    return shape == LD_SHAPE_ANTHROPIC ? words->anthropic : words->type;
}

static void write_openai(const struct ld_problem *problem, struct lb_buf *out)
{
    lb_buf_add_c(out, "{\"message\":");
    write_text(problem->message, MESSAGE_MAX, out);
    lb_buf_add_c(out, ",\"type\":");
    write_text(type_of(LD_SHAPE_OPENAI, problem), WORD_MAX, out);
    lb_buf_add_c(out, ",\"param\":");
    write_or_null(problem->param, out);
    lb_buf_add_c(out, ",\"code\":");
    write_or_null(problem->code, out);
    lb_buf_add_byte(out, '}');
}

static void write_anthropic(const struct ld_problem *problem, struct lb_buf *out)
{
    lb_buf_add_c(out, "{\"type\":\"error\",\"error\":{\"type\":");
    write_text(type_of(LD_SHAPE_ANTHROPIC, problem), WORD_MAX, out);
    lb_buf_add_c(out, ",\"message\":");
    write_text(problem->message, MESSAGE_MAX, out);
    lb_buf_add_byte(out, '}');
    if (problem->request_id.size > 0) {
        lb_buf_add_c(out, ",\"request_id\":");
        write_text(problem->request_id, WORD_MAX, out);
    }
    lb_buf_add_byte(out, '}');
}

void ld_error_body(enum ld_shape shape, const struct ld_problem *problem, struct lb_buf *out)
{
    if (shape == LD_SHAPE_ANTHROPIC) {
        write_anthropic(problem, out);
        return;
    }
    lb_buf_add_c(out, "{\"error\":");
    write_openai(problem, out);
    lb_buf_add_byte(out, '}');
}

/*
 * Responses: what a stream that fails ends with, and all that some clients show (Codex). SDKs raise
 * on a truthy member `error`, so it has that as well.
 */
static void write_responses_event(const struct ld_problem *problem, struct lb_buf *out)
{
    lb_buf_addf(out,
                "event: response.failed\ndata: {\"type\":\"response.failed\","
                "\"sequence_number\":%llu,\"response\":{\"object\":\"response\","
                "\"status\":\"failed\",\"output\":[],\"error\":{\"code\":",
                (unsigned long long)problem->sequence);
    write_or_null(problem->code, out);
    lb_buf_add_c(out, ",\"message\":");
    write_text(problem->message, MESSAGE_MAX, out);
    lb_buf_add_c(out, "}},\"error\":");
    write_openai(problem, out);
    lb_buf_add_c(out, "}\n\n");
}

void ld_error_event(enum ld_shape shape, const struct ld_problem *problem, struct lb_buf *out)
{
    if (shape == LD_SHAPE_RESPONSES) {
        write_responses_event(problem, out);
        return;
    }
    if (shape == LD_SHAPE_ANTHROPIC)
        lb_buf_add_c(out, "event: error\n");
    lb_buf_add_c(out, "data: ");
    ld_error_body(shape, problem, out);
    lb_buf_add_c(out, "\n\n");
}

/* ---- A platform's errors --------------------------------------------------------------------- */

bool ld_error_fits(enum ld_shape shape, struct lb_str body)
{
    json_t *root = lj_json_read(body, NULL);
    const json_t *error = json_object_get(root, "error");
    bool wrapped = lb_str_eq_c(lj_json_str(root, "type"), "error");

    bool fits = json_is_string(json_object_get(error, "message"));
    if (shape == LD_SHAPE_ANTHROPIC)
        fits = fits && wrapped && json_is_string(json_object_get(error, "type"));
    else
        fits = fits && !wrapped;
    json_decref(root);
    return fits;
}

/* Is this a limit that waiting does not lift? */
static bool is_quota(const json_t *error)
{
    static const char *const WORDS[] = {"insufficient_quota", "billing_error", "billing_not_active",
                                        "insufficient_balance"};
    struct lb_str code = lj_json_str(error, "code");
    struct lb_str type = lj_json_str(error, "type");

    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (lb_str_eq_c(code, WORDS[i]) || lb_str_eq_c(type, WORDS[i]))
            return true;
    }
    return false;
}

enum ld_retry ld_retry_of(int http_status, struct lb_str body)
{
    json_t *root = lj_json_read(body, NULL);
    bool quota = is_quota(json_object_get(root, "error"));

    json_decref(root);
    return quota ? LD_RETRY_NO : words_of(http_status)->retry;
}

/* A code is a word, or the number that some servers write; what only repeats the status is none. */
static struct lb_str code_of(const json_t *error, int http_status, char number[static 24])
{
    int64_t code = lj_json_int(error, "code", 0);
    struct lb_str word = lj_json_str(error, "code");

    if (word.size == 0 && code != 0) {
        int size = snprintf(number, 24, "%lld", (long long)code);
        word = lb_str(number, (size_t)size);
    }
    uint64_t status;
    return lb_str_to_u64(word, &status) && status == (uint64_t)http_status ? lb_str(NULL, 0) : word;
}

/* Anthropic's clients know its own types only, and OpenAI's are of no use to them. */
static struct lb_str kept_type(enum ld_shape shape, const json_t *root, const json_t *error)
{
    bool theirs = lb_str_eq_c(lj_json_str(root, "type"), "error");

    if (theirs != (shape == LD_SHAPE_ANTHROPIC))
        return lb_str(NULL, 0);
    return shape == LD_SHAPE_ANTHROPIC && error == root ? lb_str(NULL, 0)
                                                        : lj_json_str(error, "type");
}

void ld_error_reshape(enum ld_shape shape, int http_status, struct lb_str body,
                      struct lb_str request_id, struct lb_buf *out)
{
    json_t *root = ld_said_json(out->host, body);
    const json_t *error = ld_said_error(root);
    struct ld_problem problem;
    struct lb_buf message;
    char number[24];

    ld_problem_of_http(http_status, &problem);
    lb_buf_init(&message, out->host, MESSAGE_MAX + 16);
    ld_error_text(body, MESSAGE_MAX, &message);
    if (message.size == 0)
        lb_buf_addf(&message, "the platform answers with an error (HTTP %d)", http_status);
    problem.message = lb_buf_str(&message);
    struct lb_str code = code_of(error, http_status, number);
    if (code.size > 0)
        problem.code = code;
    else if (is_quota(error))
        problem.code = lj_json_str(error, "type");
    problem.type = kept_type(shape, root, error);
    problem.param = lj_json_str(error, "param");
    problem.request_id = request_id;
    ld_error_body(shape, &problem, out);
    lb_buf_free(&message);
    json_decref(root);
}
