/* SPDX-License-Identifier: MIT */
/*
 * Operations of /api on a real manager, called as the gateway calls them: with the n-th allocation
 * failing, for every n, each is answered by a problem or in full, leaks nothing, and a repeated
 * request under one key is never done twice.
 */
#include <jansson.h>
#include <stdio.h>

#include "../library/host.h"
#include "library/library.h"
#include "paths/route.h"
#include "management/call.h"
#include "manager/manager.h"

static struct host HOST;

static const struct lp_caller ADMIN = {LP_CALLER_ADMIN, 1, LB_STR(LLMGR_SYSTEM_USER), NULL};
static const struct lp_caller ANN = {LP_CALLER_USER, 2, LB_STR("ann"), NULL};

/* An answer, copied out. */
struct answer {
    int status;
    bool failed; /* not even a problem could be written */
    char text[131072];
};

struct asked {
    const struct lp_caller *caller;
    enum lh_method method;
    const char *target;
    const char *body;
    const char *key; /* Idempotency-Key; NULL: none */
};

/* The head as a client sends it. */
static void parse_head(const struct asked *asked, struct lh_head *head, struct lh_field *fields)
{
    static const char *const METHODS[] = {
#define METHOD(name) [LH_METHOD_##name] = #name,
        LH_METHOD_MAP(METHOD)
#undef METHOD
    };
    static char text[2048];
    int size = snprintf(text, sizeof text,
                        "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        "%s%s%s\r\n",
                        METHODS[asked->method], asked->target,
                        asked->key != NULL ? "Idempotency-Key: " : "",
                        asked->key != NULL ? asked->key : "", asked->key != NULL ? "\r\n" : "");

    lh_head_init_request(head, fields, LH_FIELDS, &lh_limits_default);
    assert_int_equal(lh_head_parse(head, text, (size_t)size), LH_DONE);
}

/* What lg_step_handle does; false if the request did not get as far as its handler. */
static bool ask(const struct asked *asked, struct answer *answer)
{
    static char body[8192];
    struct lh_field fields[LH_FIELDS];
    struct lh_head head;
    struct ly_match match;
    struct lb_arena arena;

    parse_head(asked, &head, fields);
    lb_arena_init(&arena, &HOST.manager->host, NULL, 0, 1 << 20);
    if (ly_route_match(head.method, head.path, &arena, &match, NULL) != LLMGR_OK) {
        lb_arena_free(&arena);
        return false;
    }
    snprintf(body, sizeof body, "%s", asked->body != NULL ? asked->body : "");
    struct lp_call call = {.manager = HOST.manager,
                           .arena = &arena,
                           .method = match.route->method,
                           .admin_only = match.route->scope == LY_SCOPE_ADMIN,
                           .head = &head,
                           .params = match.params,
                           .param_count = match.param_count,
                           .caller = asked->caller,
                           .body = lb_cstr(body),
                           .request_id = LB_STR("req_1")};
    lb_buf_init(&call.out, &HOST.manager->host, LP_ANSWER_MAX);
    match.route->handler(&call);
    answer->status = call.status != 0 ? call.status : 200;
    answer->failed = call.out.failed != LLMGR_OK;
    snprintf(answer->text, sizeof answer->text, "%s", lb_buf_c(&call.out));
    lb_buf_free(&call.out);
    lb_arena_free(&arena);
    return true;
}

static int64_t id_in(const struct answer *answer, const char *member)
{
    json_t *document = json_loads(answer->text, 0, NULL);
    int64_t id = (int64_t)json_integer_value(json_object_get(document, member));

    json_decref(document);
    if (id == 0)
        fail_msg("%s: %s", member, answer->text);
    return id;
}

/* ---- The site: ann has a platform with a model ---------------------------------------------- */

static int64_t platform_id, model_id;

static void *json_alloc(size_t size)
{
    return host_alloc(size, &HOST);
}

static void json_free(void *p)
{
    host_free(p, &HOST);
}

static int setup(void **state)
{
    struct answer answer;
    char target[100];
    (void)state;

    host_setup(&HOST);
    host_open(&HOST);
    const struct asked platform = {
        &ANN, LH_METHOD_POST, "/api/platforms",
        "{\"platform_name\":\"Mine\",\"base_url\":\"https://a.example.com/v1\"}", NULL};
    assert_true(ask(&platform, &answer));
    platform_id = id_in(&answer, "platform_id");
    snprintf(target, sizeof target, "/api/platforms/%lld/models", (long long)platform_id);
    const struct asked model = {&ANN, LH_METHOD_POST, target, "{\"model_name\":\"m\"}", NULL};
    assert_true(ask(&model, &answer));
    model_id = id_in(&answer, "model_id");
    json_set_alloc_funcs(json_alloc, json_free);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_set_alloc_funcs(malloc, free);
    host_teardown(&HOST);
    return 0;
}

/* ---- Short of memory ------------------------------------------------------------------------- */

/* %1 is the platform, %2 the model, %3 the number of the try. */
static const struct row {
    enum lh_method method;
    bool admin;
    const char *target;
    const char *body;
} ROWS[] = {
    {LH_METHOD_GET, false, "/api/platforms?limit=1", NULL},
    {LH_METHOD_GET, false, "/api/platforms/%1", NULL},
    {LH_METHOD_PATCH, false, "/api/platforms/%1",
     "{\"platform_name\":\"N%3\",\"platform_hide\":true,\"base_url\":\"https://b%3.example.com\","
     "\"api_key\":\"sk-0123456789\"}"},
    {LH_METHOD_PUT, false, "/api/platforms/%1/key", "{\"api_key\":\"sk-0123456789\"}"},
    {LH_METHOD_DELETE, false, "/api/platforms/%1/key", NULL},
    {LH_METHOD_POST, false, "/api/platforms",
     "{\"platform_name\":\"P%3\",\"base_url\":\"https://p%3.example.com\"}"},
    {LH_METHOD_GET, false, "/api/models?limit=2", NULL},
    {LH_METHOD_POST, false, "/api/platforms/%1/models",
     "{\"model_name\":\"m%3\",\"extra_body\":{\"a\":[1,0.5]}}"},
    {LH_METHOD_PATCH, false, "/api/models/%2",
     "{\"display_name\":\"D%3\",\"model_hide\":true,\"extra_body\":{\"b\":%3}}"},
    {LH_METHOD_PUT, false, "/api/selections/s", "{\"platform_id\":%1,\"model_id\":%2}"},
    {LH_METHOD_GET, false, "/api/selections", NULL},
    {LH_METHOD_GET, false, "/api/explain?model=m", NULL},
    {LH_METHOD_POST, false, "/api/tokens", "{\"name\":\"t%3\"}"},
    {LH_METHOD_GET, false, "/api/tokens?limit=1", NULL},
    {LH_METHOD_GET, true, "/api/usage?by=day&since=2026-01-01", NULL},
    {LH_METHOD_GET, false, "/api/me", NULL},
    {LH_METHOD_GET, true, "/api/db/check", NULL},
    {LH_METHOD_GET, true, "/api/keys", NULL},
    {LH_METHOD_POST, true, "/api/keys/rotate", "{\"dry_run\":true}"},
    {LH_METHOD_GET, false, "/v1/models", NULL},
    {LH_METHOD_GET, false, "/v1/models/mock", NULL},
    {LH_METHOD_GET, false, "/api/openapi.json", NULL},
};

static const char *fill(const char *text, long number, char out[512])
{
    char *to = out;

    if (text == NULL)
        return NULL;
    for (; *text != '\0'; text++) {
        if (*text != '%') {
            *to++ = *text;
            continue;
        }
        text++;
        to += snprintf(to, 32, "%lld",
                       *text == '1'   ? (long long)platform_id
                       : *text == '2' ? (long long)model_id
                                      : (long long)number);
    }
    *to = '\0';
    return out;
}

/* Runs a row with its n-th allocation failing; false when there was no n-th. */
static bool run_short(const struct row *row, long n)
{
    static struct answer answer;
    char target[512], body[512], key[32];
    const struct asked asked = {row->admin ? &ADMIN : &ANN, row->method,
                                fill(row->target, n, target), fill(row->body, n, body),
                                row->method == LH_METHOD_POST ? key : NULL};

    snprintf(key, sizeof key, "%s-%ld", row->admin ? "admin" : "ann", n);
    /* A poll for changes that ran short is the answer for a while; that of this run alone counts.
     */
    assert_int_equal(lm_poll(HOST.manager->manager, NULL), LLMGR_OK);
    atomic_store(&HOST.countdown, n);
    atomic_store(&HOST.failed, false);
    atomic_store(&HOST.armed, true);
    bool handled = ask(&asked, &answer);
    atomic_store(&HOST.armed, false);
    if (!handled || answer.failed || answer.status == 204)
        return atomic_load(&HOST.failed);
    json_t *document = json_loads(answer.text, JSON_REJECT_DUPLICATES, NULL);
    if (document == NULL)
        fail_msg("%s, allocation %ld: %d %s", target, n, answer.status, answer.text);
    json_decref(document);
    /* 4xx: an earlier try was done before its answer ran short, up to the limit of platforms. */
    if (!atomic_load(&HOST.failed) && answer.status >= 500)
        fail_msg("%s: %d %s", target, answer.status, answer.text);
    return atomic_load(&HOST.failed);
}

static void a_shortage_of_memory_is_a_problem_not_a_crash(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        long n = 1;
        /* Some places do without; what they do instead also ends. */
        for (long fine = 0; fine < 3 && n < 2000; n++)
            fine = run_short(&ROWS[i], n) ? 0 : fine + 1;
        assert_true(n < 2000);
    }
}

/* ---- Once ------------------------------------------------------------------------------------ */

static void a_shortage_never_does_a_thing_twice(void **state)
{
    static struct answer answer;
    long names = 0;
    (void)state;

    for (long n = 1; n < 2000; n++) {
        char body[200], key[32];
        snprintf(key, sizeof key, "k%ld", n);
        snprintf(body, sizeof body, "{\"name\":\"once %ld\"}", n);
        const struct asked asked = {&ANN, LH_METHOD_POST, "/api/tokens", body, key};
        atomic_store(&HOST.countdown, n);
        atomic_store(&HOST.failed, false);
        atomic_store(&HOST.armed, true);
        (void)ask(&asked, &answer);
        atomic_store(&HOST.armed, false);
        bool failed = atomic_load(&HOST.failed);
        for (int again = 0; again < 2; again++)
            assert_true(ask(&asked, &answer));
        names = n;
        if (!failed)
            break;
    }
    struct llmgr_token_list list;
    assert_int_equal(llmgr_token_list(HOST.manager, "ann", 0, 1000, &list, NULL), LLMGR_OK);
    for (size_t i = 0; i < list.count; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(list.items[i].name, list.items[k].name);
    assert_true((long)list.count <= names);
    llmgr_token_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_shortage_of_memory_is_a_problem_not_a_crash, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_shortage_never_does_a_thing_twice, setup, teardown),
    };

    return cmocka_run_group_tests_name("management/api", tests, NULL, NULL);
}
