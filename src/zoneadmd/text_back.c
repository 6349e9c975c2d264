/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The program's own code and constants, unmapped: of a MiB that its start has touched, and the kernel has mapped around that, one who waits
 * needs some pages, and there is one who waits per zone, twice. What is needed comes back from the page cache at its first touch.
 */
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "zoneadmd/zoneadmd.h"

extern const ElfW(Ehdr) __ehdr_start;

void text_back(void)
{
	const ElfW(Phdr) *ph = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	size_t n = getauxval(AT_PHNUM), page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t base = 0;

	for (size_t i = 0; ph && i < n; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_offset == 0)
			base = (uintptr_t)&__ehdr_start - ph[i].p_vaddr;
	/* never what can be written: there the copy is all there is */
	for (size_t i = 0; ph && i < n; i++) {
		uintptr_t from = base + ph[i].p_vaddr, to = from + ph[i].p_memsz;

		if (ph[i].p_type == PT_LOAD && !(ph[i].p_flags & PF_W))
			(void)madvise((void *)(from & ~(uintptr_t)(page - 1)), to - (from & ~(uintptr_t)(page - 1)), MADV_DONTNEED);
	}
}
