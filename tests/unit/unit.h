/* SPDX-License-Identifier: MIT */
/* What every unit test needs: cmocka with the headers it wants first. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
