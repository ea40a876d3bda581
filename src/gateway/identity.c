/* SPDX-License-Identifier: MIT */
/*
 * Tokens: where callers put them, and who stands behind. Warm, a token is one hash and one line of
 * memory; one seen for the first time is looked for off the loop, before the body is read.
 */
#include "gateway/identity.h"

#include <string.h>

#include "accounts/token_uses.h"
#include "accounts/tokens.h"
#include "base/magic.h"
#include "gateway/origin.h"
#include "gateway/work.h"
#include "http/url.h"
#include "manager/manager.h"
#include "vault/token.h"

/*
 * Of a worker at once; tokens in use need none. A restart before thousands of clients must not
 * refuse one, and so many short questions are answered in some ten milliseconds.
 */
enum { LOOK_UPS_MAX = 512 };

enum { LOOK_UP_MAGIC = 0x6c676c75 };

struct look_up {
    unsigned magic;
    struct lg_worker *worker; /* which counts it */
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    struct lw_token *token;
    llmgr_status status;
    struct llmgr_error err;
};

/* `value` behind a scheme of that name and whatever blanks; p NULL: it has another, or none. */
static struct lb_str behind_scheme(struct lb_str value, struct lb_str scheme)
{
    struct lb_str rest = lb_str_sub(value, scheme.size, value.size);

    if (!lb_str_eq_nocase(lb_str_sub(value, 0, scheme.size), scheme) || rest.size == 0 ||
        (rest.p[0] != ' ' && rest.p[0] != '\t'))
        return lb_str(NULL, 0);
    return lb_str_trim(rest);
}

/* Bearer, as the scheme is written everywhere; in a key's own field, where none belongs, too. */
static struct lb_str without_bearer(struct lb_str value)
{
    struct lb_str token = behind_scheme(value, LB_STR("bearer"));

    return token.p != NULL ? token : value;
}

/*
 * The token of "Authorization: Bearer …", or one of ours without the word; other schemes are a
 * front's business, and none of ours.
 */
static struct lb_str authorized_token(const struct lh_head *head)
{
    struct lb_str value = lh_head_get(head, LH_HEADER_AUTHORIZATION);
    struct lb_str token = behind_scheme(value, LB_STR("bearer"));

    return token.p == NULL && lv_token_valid(value) ? value : token;
}

/*
 * The caller's token, in OpenAI's, Anthropic's or Azure's field. Some clients fill two of them, one
 * with a dummy: what has the form of a token of ours wins over what has not. If two have it and
 * differ, a front that looks at the other one would take the caller for somebody else.
 */
static bool find_token(const struct lh_head *head, struct lb_str *token)
{
    const struct lb_str said[] = {authorized_token(head),
                                  without_bearer(lh_head_get(head, LH_HEADER_X_API_KEY)),
                                  without_bearer(lh_head_get(head, LH_HEADER_API_KEY))};

    *token = lb_str(NULL, 0);
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        if (said[i].size == 0 || lb_str_eq(said[i], *token))
            continue;
        if (token->size == 0) {
            *token = said[i];
        } else if (lv_token_valid(said[i])) { /* the look costs, and is rarely needed */
            if (lv_token_valid(*token))
                return false;
            *token = said[i];
        }
    }
    return true;
}

void lg_identity_hide(const struct lh_head *head)
{
    static const enum lh_header PLACES[] = {LH_HEADER_AUTHORIZATION, LH_HEADER_X_API_KEY,
                                            LH_HEADER_API_KEY};

    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        struct lb_str value = lh_head_get(head, PLACES[i]);
        if (value.size > 0)
            memset((char *)(uintptr_t)value.p, '*', value.size); /* the buffer is the worker's */
    }
}

static enum lg_verdict unknown(struct lg_request *request)
{
    return lg_request_fail(
        request, LLMGR_ERR_UNAUTHORIZED,
        N_("the token is not known here, was revoked or has expired; ask the gateway's "
           "operator for one"));
}

static enum lp_caller_kind kind_of(llmgr_token_kind kind)
{
    switch (kind) {
    case LLMGR_TOKEN_ADMIN:
        return LP_CALLER_ADMIN;
    case LLMGR_TOKEN_APP:
        return LP_CALLER_APP;
    case LLMGR_TOKEN_USER:
    default:
        return LP_CALLER_USER;
    }
}

/* The ext-value of RFC 8187 section 3.2, UTF-8 without a language: UTF-8''%E6%9C%AC. */
static llmgr_status decode_user(struct lg_request *request, struct lb_str value,
                                struct lb_str *named, struct llmgr_error *err)
{
    const struct lb_str charset = LB_STR("utf-8''");
    size_t size = 0;

    char *text = lb_arena_alloc(&request->arena, value.size);
    if (text == NULL)
        return lb_fail_memory(err);
    if (!lb_str_eq_nocase(lb_str_sub(value, 0, charset.size), charset) ||
        !lh_percent_decode(lb_str_sub(value, charset.size, value.size), text, &size))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the header field X-LLMGR-User* must be UTF-8'' and the percent-encoded "
                          "user ID (RFC 8187)"));
    *named = lb_str(text, size);
    return LLMGR_OK;
}

/* The user whom the caller names: ASCII as it is, any other script in the field with a star. */
static llmgr_status named_user(struct lg_request *request, struct lb_str *named,
                               struct llmgr_error *err)
{
    struct lb_str encoded = lh_head_get(request->head, LH_HEADER_X_LLMGR_USER_EXT);

    *named = lh_head_get(request->head, LH_HEADER_X_LLMGR_USER);
    if (encoded.size == 0)
        return LLMGR_OK;
    if (named->size > 0)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("name the user in X-LLMGR-User or in X-LLMGR-User*, not in both"));
    return decode_user(request, encoded, named, err);
}

/* A copy of what narrows it: the token itself may leave the cache while the request waits. */
static bool keep_limits(struct lg_request *request, const struct lw_limits *limits)
{
    struct lw_limits *kept = lb_arena_alloc(&request->arena, sizeof *kept);

    if (kept == NULL)
        return false;
    *kept = *limits;
    struct lb_str *const texts[] = {&kept->allowed.platforms, &kept->allowed.models,
                                    &kept->allowed.routes, &kept->networks};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = lb_arena_str(&request->arena, *texts[i]);
        if (texts[i]->p == NULL)
            return false;
    }
    request->caller.limits = kept;
    return true;
}

/* Does it still hold, and from where this caller calls? */
static enum lg_verdict check_limits(struct lg_request *request, const struct lw_limits *limits)
{
    struct ln_addr16 address;

    if (lw_limits_are_over(limits, lb_now_ms(request->worker->host)))
        return unknown(request);
    if (limits->networks.size != 0 && (!lg_origin_address(request->client, &address) ||
                                       !lw_networks_hold(limits->networks, &address)))
        return lg_request_fail(request, LLMGR_ERR_FORBIDDEN,
                               N_("this token may not be used from this address"));
    return keep_limits(request, limits) ? LG_NEXT : lg_request_fail_memory(request);
}

/* The token is good: may it do this, and as whom? Copies what is needed of it. */
static enum lg_verdict admit_token(struct lg_request *request, struct lw_token *token)
{
    struct lb_str named = {NULL, 0}, acting = {NULL, 0};
    struct llmgr_error err = {0};

    if (!token->known)
        return unknown(request);
    if (token->is_limited && check_limits(request, &token->limits) != LG_NEXT)
        return LG_FAIL;
    if (named_user(request, &named, &err) != LLMGR_OK ||
        lw_token_acts_as(token, named, &acting, &err) != LLMGR_OK)
        return lg_request_fail_with(request, &err);
    if (acting.size == 0)
        acting = LB_STR(LLMGR_SYSTEM_USER);
    request->caller.kind = kind_of(token->kind);
    request->caller.token_id = token->id;
    request->caller.user = lb_arena_str(&request->arena, acting);
    if (request->caller.user.p == NULL)
        return lg_request_fail_memory(request);
    if (request->match.route->scope == LY_SCOPE_ADMIN && !lp_caller_is_admin(&request->caller))
        return lg_request_fail(request, LLMGR_ERR_FORBIDDEN,
                               N_("this needs an administrator's token"));
    lw_token_was_used(token, request->worker->shared->uses);
    return LG_NEXT;
}

/* ---- Cold ------------------------------------------------------------------------------------ */

static void load(void *context)
{
    struct look_up *look_up = LB_CAST(struct look_up, context, LOOK_UP_MAGIC);

    look_up->status =
        lw_token_load(look_up->worker->manager, look_up->digest, &look_up->token, &look_up->err);
}

static void drop_look_up(void *context)
{
    struct look_up *look_up = LB_CAST(struct look_up, context, LOOK_UP_MAGIC);
    struct lg_worker *worker = look_up->worker;

    worker->look_ups--;
    lw_token_free(worker->manager, look_up->token);
    look_up->magic = 0;
    lb_free(worker->host, look_up);
}

static enum lg_verdict loaded(struct lg_request *request, void *context, llmgr_status status)
{
    struct look_up *look_up = LB_CAST(struct look_up, context, LOOK_UP_MAGIC);

    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (look_up->status != LLMGR_OK)
        return lg_request_fail_with(request, &look_up->err);
    enum lg_verdict verdict = request->gone ? LG_DONE : admit_token(request, look_up->token);
    lw_token_cache_put(request->worker->tokens, look_up->token);
    look_up->token = NULL;
    return verdict;
}

static enum lg_verdict start_load(struct lg_request *request, const unsigned char *digest)
{
    struct lg_worker *worker = request->worker;

    /* A flood of invented tokens must not take the threads that others' requests need. */
    if (worker->look_ups >= LOOK_UPS_MAX)
        return lg_request_limit(
            request, LG_METRIC_LIMITED_LOOK_UPS,
            N_("too many tokens are being looked up at once; try again in a moment"));
    struct look_up *look_up = lb_calloc(worker->host, 1, sizeof *look_up);

    if (look_up == NULL)
        return lg_request_fail_memory(request);
    look_up->magic = LOOK_UP_MAGIC;
    look_up->worker = worker;
    worker->look_ups++;
    memcpy(look_up->digest, digest, sizeof look_up->digest);
    return lg_work_start_bounded(request, load, loaded, drop_look_up, look_up);
}

/*
 * The keeper has not heard from the database for a while: then no thread is held up to hear as
 * little. Afterwards most tokens are in memory still.
 */
static enum lg_verdict heard(struct lg_request *request, void *context, llmgr_status status)
{
    const unsigned char *digest = context;
    struct lw_token *token = NULL;

    (void)status;
    if (request->gone)
        return LG_DONE;
    if (lw_token_cache_get(request->worker->tokens, digest, &token) == LW_TOKEN_FOUND)
        return admit_token(request, token);
    return start_load(request, digest);
}

static enum lg_verdict await_word(struct lg_request *request, const unsigned char *digest)
{
    char *kept = lb_arena_bytes(&request->arena, LW_TOKEN_DIGEST_SIZE);

    if (kept == NULL)
        return lg_request_fail_memory(request);
    memcpy(kept, digest, LW_TOKEN_DIGEST_SIZE);
    return lg_work_await_fresh(request, heard, kept);
}

/* ---- Warm ------------------------------------------------------------------------------------ */

enum lg_verdict lg_identify_token(struct lg_request *request)
{
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    struct lw_token *token = NULL;

    if (lg_work_is_done(request))
        return lg_work_finish(request);
    struct lb_str text;
    if (!find_token(request->head, &text)) {
        lg_identity_hide(request->head);
        return lg_request_fail(request, LLMGR_ERR_INVALID,
                               N_("Authorization, x-api-key and api-key name different tokens; "
                                  "send one"));
    }
    if (text.size == 0)
        return lg_request_fail(request, LLMGR_ERR_UNAUTHORIZED,
                               N_("a token is needed: send `Authorization: Bearer sk-llmgr-…`"));
    enum lw_token_result found = lw_token_cache_find(request->worker->tokens, text, digest, &token);
    lg_identity_hide(request->head);
    switch (found) {
    case LW_TOKEN_FOUND:
        return admit_token(request, token);
    case LW_TOKEN_MISS:
        return lm_is_fresh(request->worker->manager) ? start_load(request, digest)
                                                     : await_word(request, digest);
    case LW_TOKEN_UNKNOWN:
    default:
        return unknown(request);
    }
}
