/* SPDX-License-Identifier: MPL-2.0 */
/* Writes cloister-properties(7) from the property table; with the argument "markdown", the same as a table. */
#include <inttypes.h>
#include <stdint.h>

#include "model/prop.h"
#include "mdoc.h"

static void brands(const char *verb, unsigned b, const char **sep)
{
	static const struct {
		unsigned bits;
		const char *name;
	} sets[] = {{B_JOYENT, "joyent"}, {B_MINIMAL, "joyent-minimal"}, {B_LX, "lx"}, {B_KVM, "kvm"}, {B_BHYVE, "bhyve"}};

	if (!b)
		return;
	printf("%s%s", *sep, verb);
	*sep = ";\n";
	if (b == B_ALL)
		return;
	if (b == B_ZONE || b == B_HVM) {
		printf(" (%s)", b == B_ZONE ? "zones" : "hardware VMs");
		return;
	}
	for (size_t i = 0, first = 1; i < sizeof sets / sizeof *sets; i++)
		if (b & sets[i].bits) {
			printf("%s%s", first ? " (" : ", ", sets[i].name);
			first = 0;
		}
	putchar(')');
}

static const char *live(char l)
{
	return l == 'b' ? "A running VM sees an update at its next boot." :
	       l == 's' ? "Can be changed on a stopped VM only." :
			  NULL;
}

static void row(const struct prop *p)
{
	const char *sep = "";
	int object = strstr(p->name, ".*.") != NULL;

	printf(".It Cm %s\n", p->name);
	mdoc_text(p->help);
	printf(".br\n");
	if (p->type == PROP_OUTPUT) {
		printf("Output only.\n");
		return;
	}
	printf(".Em %s", prop_type_name(p->type));
	if (p->type == PROP_INT && p->max > p->min && p->max != INT64_MAX)
		printf(" No %" PRId64 " to %" PRId64, p->min, p->max);
	else if (p->type == PROP_INT && p->min > 0)
		printf(" No from %" PRId64, p->min);
	printf(" ;\n");
	brands(object ? "with the object" : "create", p->create, &sep);
	brands("update", p->update, &sep);
	if (!p->create && !p->update)
		brands("receive", p->receive, &sep);
	if (!p->create && !p->update && !p->receive)
		printf("not for any brand of this node");
	printf(".\n");
	if (p->rule) {
		printf("Takes\n");
		mdoc_sentence(p->rule);
	}
	if (p->dflt)
		printf("Default:\n.Li %s .\n", p->dflt);
	if (p->required)
		printf("Required%s.\n", p->required == B_LX ? " for lx" : p->required == B_ALL ? "" : " for some brands");
	if (p->update && live(p->live))
		printf("%s\n", live(p->live));
	if (p->needs) {
		printf("Refused at create until this build has\n");
		mdoc_sentence(p->needs);
	}
	if (p->never) {
		printf("Refused:\n");
		mdoc_sentence(p->never);
	}
	if (p->flags & PF_CLOISTER)
		printf("Cloister's own.\n");
}

/* c create, u update, r receive, a when the object is added: as SmartOS's vmadm(8) has it. */
static const char *verbs(const struct prop *p, unsigned brand, char out[4])
{
	size_t k = 0;

	if (p->create & brand)
		out[k++] = strstr(p->name, ".*.") ? 'a' : 'c';
	if (p->update & brand)
		out[k++] = 'u';
	if ((p->receive & brand) && !(k && out[0] == 'a'))
		out[k++] = 'r';
	out[k] = 0;
	return k ? out : "–";
}

static void markdown(const struct prop *p, size_t n)
{
	char v[5][4];

	printf("| property | type | joyent | minimal | lx | kvm | bhyve | default | meaning |\n|---|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < n; i++) {
		if (p[i].flags & PF_HIDDEN)
			continue;
		printf("| %s | %s | %s | %s | %s | %s | %s | %s | %s%s%s |\n", p[i].name, prop_type_name(p[i].type),
		       verbs(&p[i], B_JOYENT, v[0]), verbs(&p[i], B_MINIMAL, v[1]), verbs(&p[i], B_LX, v[2]),
		       verbs(&p[i], B_KVM, v[3]), verbs(&p[i], B_BHYVE, v[4]), p[i].dflt ? p[i].dflt : "", p[i].help,
		       p[i].needs ? " Needs " : p[i].never ? " Refused: " : "",
		       p[i].needs ? p[i].needs : p[i].never ? p[i].never : "");
	}
}

int main(int argc, char **argv)
{
	size_t n;
	const struct prop *p = prop_all(&n);

	if (argc == 2 && strcmp(argv[1], "markdown") == 0) {
		markdown(p, n);
		return 0;
	}
	mdoc_head("CLOISTER-PROPERTIES", "cloister-properties", "properties of VMs");
	printf(".Sh DESCRIPTION\n");
	mdoc_text("A VM is a JSON object with the properties below. They are given to the create and update verbs of vmadm, "
		  "and get prints them. Names and meanings are SmartOS's unless a row says otherwise.");
	printf(".Pp\n");
	mdoc_text("A boolean may be written true, false, \"true\", \"false\", 1 or \"1\"; an integer may be a numeric string. "
		  "The empty string and null unset a property. In the name of a row, * stands for an index.");
	printf(".Pp\n");
	mdoc_text("An unknown property is refused with the nearest known name. What needs a capability that this build does "
		  "not have is checked and then refused by name; nothing is accepted and ignored.");
	printf(".Bl -tag -width Ds\n");
	for (size_t i = 0; i < n; i++)
		if (!(p[i].flags & PF_HIDDEN))
			row(&p[i]);
	printf(".El\n.Sh SEE ALSO\n.Xr cloister-seccomp 7 ,\n.Xr cloister 8 ,\n.Xr vmadm 8\n");
	return 0;
}
