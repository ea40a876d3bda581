/* SPDX-License-Identifier: MIT */
/* Native paths under a key that is not the caller's: what is open, and whose it has to be. */
#include "objects/native.h"

#include "../unit.h"

static const char *verdict(enum lh_method method, const char *path, const char *opened)
{
    static const char *const CLASSES[] = {"free", "makes", "tells", "part", "ends", "all"};
    const struct lf_native *row;
    struct lb_str id;

    switch (lf_native_judge(method, lb_cstr(path), lb_cstr(opened), &row, &id)) {
    case LF_NATIVE_OPEN:
        assert_true(row == NULL || (id.size > 0) == (strstr(row->path, "{id}") != NULL));
        return row != NULL ? CLASSES[row->kind_of_work] : "opened";
    case LF_NATIVE_CLOSED:
        return "closed";
    default:
        return "unknown";
    }
}

static void is(enum lh_method method, const char *path, const char *wanted)
{
    const char *found = verdict(method, path, "POST /voices, GET /a/{x}, GET /keys/{x}");

    if (strcmp(found, wanted) != 0)
        fail_msg("%s is %s, not %s", path, found, wanted);
}

static void each_path_has_its_class(void **state)
{
    (void)state;
    is(LH_METHOD_POST, "/images/generations", "free");
    is(LH_METHOD_GET, "/images/generations", "unknown");
    is(LH_METHOD_POST, "/files", "makes");
    is(LH_METHOD_GET, "/files", "all");
    is(LH_METHOD_HEAD, "/files", "all");
    is(LH_METHOD_GET, "/files/f-1", "part");
    is(LH_METHOD_HEAD, "/files/f-1/content", "part");
    is(LH_METHOD_DELETE, "/files/f-1", "ends");
    is(LH_METHOD_PUT, "/files/f-1", "unknown");
    is(LH_METHOD_GET, "/files/f-1/content/x", "unknown");
    is(LH_METHOD_GET, "/batches/b", "tells");
    is(LH_METHOD_GET, "/responses/resp_68a1f0.Zm9v-_7", "part");
    is(LH_METHOD_POST, "/voices", "opened");
    is(LH_METHOD_GET, "/voices", "unknown");
    is(LH_METHOD_GET, "/a/b", "opened");
    is(LH_METHOD_GET, "/a", "unknown");
    is(LH_METHOD_GET, "/a/b/c", "unknown");
    is(LH_METHOD_GET, "/keys/b", "closed");
}

static void what_could_be_read_otherwise_is_closed(void **state)
{
    static const char *const PATHS[] = {
        "",           "files",       "/",          "//files",     "/files/",     "/files//f",
        "/files/%66", "/files/f;x",  "/files/..",  "/files/.",    "/files/.a",   "/files/a b",
        "/files/a,b", "/files/a\\b", "/files/a?b", "/files/\xc3", "/files/a=b",  "/%66iles",
        "/files/a#b", "/USAGE",      "/a/Keys",    "/x/../admin", "/files/users"};

    (void)state;
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++)
        is(LH_METHOD_GET, PATHS[i], "closed");
    is(LH_METHOD_POST, "/Images/Generations", "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_has_its_class),
        cmocka_unit_test(what_could_be_read_otherwise_is_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
