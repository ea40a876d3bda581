/* SPDX-License-Identifier: MIT */
/* .env files: any bytes; what is accepted can be looked up and used to fill in placeholders. */
#include <stdlib.h>

#include "config/dotenv.h"
#include "config/placeholder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_str text = lb_str((const char *)data, size);
    struct lc_dotenv *dotenv = NULL;
    struct lb_host host;
    struct lb_buf out;
    bool present = false;

    lb_host_init(&host);
    if (lc_dotenv_parse(&host, "fuzz", text, &dotenv, NULL) != LLMGR_OK)
        return 0;
    struct lc_env env = {NULL, NULL, dotenv};
    lb_buf_init_secret(&out, &host, 1 << 16);
    if (lc_substitute(text, lc_env_get, &env, &out, &present, NULL, NULL) == LLMGR_OK &&
        present != (out.size != 0))
        abort();
    if (!lb_utf8_valid(lb_cstr(lc_dotenv_complaints(dotenv))))
        abort();
    const char *value = lc_dotenv_get(dotenv, "A");
    if (value != NULL && !lb_utf8_valid(lb_cstr(value)))
        abort();
    lb_buf_free(&out);
    lc_dotenv_free(dotenv);
    return 0;
}
