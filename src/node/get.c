/* SPDX-License-Identifier: MPL-2.0 */
#include "model/vm.h"
#include "node/vm.h"
#include "node/vmlive.h"
#include "node/vmops.h"

int vm_get(struct ctx *c, const char *word, json_t **out, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	_json_ json_t *live = NULL;
	int r = vm_open(c, word, VM_LOOK, &v, e);

	if (r == 0)
		r = vm_live(c, v.st, v.uuid, &v.run, LIVE_ALL, &live, e);
	if (r < 0)
		return r;
	*out = vm_output(v.rec, live);
	return 0;
}
