/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/own.h"
#include "hvm/qtune.h"
#include "model/vm.h"

static json_t *load(const char *text)
{
	json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(o);
	return o;
}

static void ceilings(void **s)
{
	_json_ json_t *plain = load("{\"io_read_bps\":1000000}"), *none = load("{}"),
		      *burst = load("{\"io_write_bps\":10,\"io_write_bps_max\":50,\"io_read_iops\":7,\"io_burst_time\":5}"),
		      *brief = load("{\"io_write_bps\":49,\"io_write_bps_max\":50,\"io_burst_time\":1}");
	_json_ json_t *a = qtune_ceilings(plain, "x"), *b = qtune_ceilings(burst, "x"), *c = qtune_ceilings(brief, "x"), *d = qtune_ceilings(none, "x");

	assert_int_equal(vm_int(a, "bps_rd", -1), 1000000);
	/* all of them are said: what the record has not is taken away */
	assert_int_equal(vm_int(a, "bps_wr", -1), 0);
	assert_int_equal(vm_int(a, "iops_rd", -1), 0);
	assert_int_equal(vm_int(a, "iops_wr", -1), 0);
	assert_null(json_object_get(a, "bps_rd_max"));
	/* (50 - 10) * 5 = 50 * 4 */
	assert_int_equal(vm_int(b, "bps_wr_max", -1), 50);
	assert_int_equal(vm_int(b, "bps_wr_max_length", -1), 4);
	assert_int_equal(vm_int(b, "iops_rd", -1), 7);
	assert_null(json_object_get(b, "iops_rd_max"));
	assert_int_equal(vm_int(c, "bps_wr_max_length", -1), 1);
	/* what it has is as QEMU takes it */
	assert_true(qtune_has(a, plain));
	assert_false(qtune_has(a, burst));
	assert_true(qtune_has(b, burst));
	assert_false(qtune_has(b, none));
	assert_true(qtune_has(d, none));
	assert_true(qtune_has(NULL, none));
	assert_false(qtune_has(NULL, plain));
	json_object_set_new(a, "bps_rd", json_real(1000000));
	assert_true(qtune_has(a, plain));
	json_object_set_new(a, "bps_rd", json_string("1000000"));
	assert_false(qtune_has(a, plain));
	json_object_set_new(d, "iops", json_integer(3));
	assert_false(qtune_has(d, none));
}

static void latency(void **s)
{
	_json_ json_t *stats = load("{\"rd_latency_histogram\":{\"boundaries\":[10000,1000000,10000000,10000000000],\"bins\":[4,0,3,2,1]},"
				    "\"wr_latency_histogram\":{\"boundaries\":[10000],\"bins\":[9]},\"flush_latency_histogram\":7}"),
		      *out = qtune_latency(stats), *none = load("{}");
	_free_ char *text = json_dumps(out, JSON_COMPACT);

	assert_string_equal(text, "{\"read\":{\"under_10us\":4,\"under_10ms\":3,\"under_10s\":2,\"10s_or_more\":1}}");
	assert_int_equal(qtune_longer(stats, 10000000), 3);
	assert_int_equal(qtune_longer(stats, 10000000000), 1);
	assert_null(qtune_latency(none));
	assert_true(qtune_longer(none, 1) == UINT64_MAX);
}

/* As QEMU's, were it a guest's. */
static void hostile(void **s)
{
	static const char *const texts[] = {
		"[]", "7", "{\"rd_latency_histogram\":{\"boundaries\":{},\"bins\":[1,2]}}", "{\"rd_latency_histogram\":{\"boundaries\":[],\"bins\":[1]}}",
		"{\"rd_latency_histogram\":{\"boundaries\":[1,2,3],\"bins\":[1,2]}}",
	};
	_json_ json_t *odd = load("{\"rd_latency_histogram\":{\"boundaries\":[-5,\"x\"],\"bins\":[1e300,-1,5]}}"), *out = qtune_latency(odd);
	_free_ char *text = json_dumps(out, JSON_COMPACT);

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_json_ json_t *o = load(texts[i]);

		assert_null(qtune_latency(o));
	}
	assert_string_equal(text, "{\"read\":{\"0s_or_more\":5}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(ceilings), cmocka_unit_test(latency), cmocka_unit_test(hostile)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
