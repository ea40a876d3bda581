/* SPDX-License-Identifier: MIT */
/* Reads /proc; see cost.h. A process that is gone counts as nothing. */
#include "cost.h"

#include <dirent.h>
#include <stdio.h>

static uint64_t thread_ns(int pid, const char *thread)
{
    char path[300];
    unsigned long long ns = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, thread);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu", &ns) != 1)
        ns = 0;
    fclose(file);
    return ns;
}

uint64_t cost_cpu_ns(const int *pids, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/task", pids[i]);
        DIR *folder = opendir(path);
        if (folder == NULL)
            continue;
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            if (entry->d_name[0] != '.')
                sum += thread_ns(pids[i], entry->d_name);
        }
        closedir(folder);
    }
    return sum;
}

uint64_t cost_memory(const int *pids, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        char line[256];
        unsigned long long kib = 0;
        snprintf(line, sizeof line, "/proc/%d/status", pids[i]);
        FILE *file = fopen(line, "r");
        if (file == NULL)
            continue;
        while (fgets(line, sizeof line, file) != NULL) {
            if (sscanf(line, "RssAnon: %llu kB", &kib) == 1)
                sum += kib * 1024;
        }
        fclose(file);
    }
    return sum;
}
