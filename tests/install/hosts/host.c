/* SPDX-License-Identifier: MIT */
/* A host that knows nothing but the installed header: C and C++ compile this same text. */
#include <llmgr.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    struct llmgr_error error;

    memset(&error, 0, sizeof error);
    if (llmgr_status_exit(LLMGR_ERR_NOT_FOUND) != 3 || error.status != LLMGR_OK)
        return 1;
    printf("%s %s\n", LLMGR_VERSION_STRING, llmgr_status_name(LLMGR_ERR_NOT_FOUND));
    return 0;
}
