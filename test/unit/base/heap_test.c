// SPDX-License-Identifier: Apache-2.0
/* The heap's discipline: what it does with equal elements is upstream's. */
#include "base/heap.h"
#include "unit/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct item {
    int key;
    char id;
} item;

static bool less(const void *a, const void *b)
{
    return ((const item *)a)->key < ((const item *)b)->key;
}

/* Recorded from Go's container/heap. ops: a digit pushes an item of that key, the items are called
 * a, b, c, ... in this order; '-' pops. out: the items popped. */
static const struct {
    const char *ops, *out;
} recorded[] = {
    {"00-000-0000000000---00000-00---0---000--------------", "abeonmtvuswrqzyxplkjihgfdc"},
    {"1-0-1-00-1-0-1-01-00-1101---10-101--1--0-00-1-------", "abcdegfiklojrtunvwxyzsqmph"},
    {"100201----1-02-0221-1---010221002-111---------------", "becfahjgnmouqvxtyzprikwdsl"},
    {"234131-4-4-3---340--41--033--24-00234-04------------", "dfabeiljnhoqrtuyvwpcskzxmg"},
};

static void equal_elements_come_in_upstreams_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++) {
        item items[26];
        void *room[26];
        char out[27] = "";
        size_t n_in = 0, n_out = 0;
        an_heap h = {room, 0};

        for (const char *op = recorded[i].ops; *op != '\0'; op++) {
            if (*op == '-') {
                out[n_out++] = ((item *)an_heap_pop(&h, less))->id;
            } else {
                items[n_in] = (item){*op - '0', (char)('a' + n_in)};
                an_heap_push(&h, &items[n_in++], less);
            }
        }
        assert_string_equal(out, recorded[i].out);
        assert_int_equal(h.n, 0);
    }
}

static void what_is_popped_is_never_above_what_stays(void **state)
{
    (void)state;
    enum { N = 200 };
    uint64_t seed = prng_seed();
    item items[N];
    void *room[N];

    for (int round = 0; round < 200; round++) {
        an_heap h = {room, 0};
        size_t n_in = 0, n_out = 0;
        bool popped[128] = {false};
        while (n_in < 100 || h.n > 0) {
            if (n_in < 100 && (h.n == 0 || prng(&seed) % 3 != 0)) {
                items[n_in] = (item){(int)(prng(&seed) % 20), (char)n_in};
                an_heap_push(&h, &items[n_in++], less);
                continue;
            }
            assert_ptr_equal(h.v[0], room[0]);
            item *x = an_heap_pop(&h, less);
            for (size_t k = 0; k < h.n; k++) assert_false(less(h.v[k], x));
            assert_false(popped[(size_t)x->id]);
            popped[(size_t)x->id] = true;
            n_out++;
        }
        assert_int_equal(n_out, 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_elements_come_in_upstreams_order),
        cmocka_unit_test(what_is_popped_is_never_above_what_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
