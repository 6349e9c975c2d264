# SPDX-License-Identifier: MPL-2.0
# bash completion for cloister, vmadm, imgadm, zlogin, zoneadm, zonecfg, prctl, sysinfo, zonestat,
# zonememstat, kstat, nictagadm, dladm, flowadm, fwadm.
# Verbs and what their operands are come from the program's own table; uuids and aliases from the node.

_cloister_vms() {
	vmadm list -p -o uuid,alias 2>/dev/null | awk -F: '{print $1; if ($2 != "" && $2 != "-") print $2}'
}

_cloister_images() {
	imgadm list -j 2>/dev/null | grep -oE '"uuid": ?"[0-9a-f-]{36}"' | cut -d'"' -f4 | sort -u
}

# Property names, for `vmadm update VM name=`.
_cloister_properties() {
	cloister commands properties 2>/dev/null
}

# Of the lines of its input those that begin so. Not `compgen -W`, which expands its words and so runs what is in them: some are a guest's.
_cloister_match() { # beginning
	local w
	while read -r w; do
		[[ $w != "$1"* || ! $w =~ ^[A-Za-z0-9._:%@+,=/-]+$ ]] || printf '%s\n' "$w"
	done
}

# Files, which readline quotes: a name may be a guest's.
_cloister_files() { # beginning
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# What goes behind the VM, and else another VM.
_cloister_after() { # verb vm
	case $1 in
	start | boot) printf '%s\n' order= once= cdrom= disk= ;;
	sysrq) printf '%s\n' nmi screenshot ;;
	info) printf '%s\n' accelerator all balloon block blockstats chardev cpus kvm memory pci status version vnc ;;
	rollback-snapshot | delete-snapshot) vmadm get "$2" 2>/dev/null | sed -n '/"snapshots"/,/]/s/.*"name": *"\([^"]*\)".*/\1/p' ;;
	create-snapshot) echo -m ;;
	stop | halt) printf '%s\n' -F -t ;;
	reboot) echo -F ;;
	migrate | send) printf '%s\n' --downtime --bandwidth --limit --stall --keep --without-snapshots --resume --back ;;
	*) _cloister_vms ;;
	esac
}

_cloister() {
	local cur=${COMP_WORDS[COMP_CWORD]} prog=${COMP_WORDS[0]##*/} at=1 eq table verbs verb arg
	COMPREPLY=()
	table=$(cloister commands 2>/dev/null) || return
	# cloister vmadm … is vmadm …
	if [[ $prog == cloister && $COMP_CWORD -gt 1 ]] && cut -f1 <<<"$table" | grep -qxF -- "${COMP_WORDS[1]}"; then
		prog=${COMP_WORDS[1]} at=2
	fi
	verbs=$(awk -F'\t' -v p="$prog" '$1 == p && $2 != "" {print $2}' <<<"$table")
	[[ $prog != cloister ]] || verbs+=$'\n'$(awk -F'\t' '$1 != "cloister" {print $1}' <<<"$table" | sort -u)
	if [[ -n $verbs ]]; then
		if ((COMP_CWORD == at)); then
			mapfile -t COMPREPLY < <(_cloister_match "$cur" <<<"$verbs"$'\n'help)
			return
		fi
		if [[ ${COMP_WORDS[at]} == help ]]; then
			mapfile -t COMPREPLY < <(_cloister_match "$cur" <<<"$verbs")
			return
		fi
		verb=${COMP_WORDS[at]}
		at=$((at + 1))
	fi
	arg=$(awk -F'\t' -v p="$prog" -v v="${verb-}" '$1 == p && $2 == v {print $5; exit}' <<<"$table")
	case $prog,${verb-} in
	fwadm,get | fwadm,update | fwadm,delete | fwadm,enable | fwadm,disable | fwadm,vms) arg=rule ;;
	esac
	case $prog,${COMP_WORDS[COMP_CWORD - 1]} in
	vmadm,-f | imgadm,-[fm] | fwadm,-f)
		_cloister_files "$cur"
		return
		;;
	zoneadm,-z | zonecfg,-z | zonestat,-z | zonememstat,-z | prctl,zone | cloister,-z) arg=vm ;;
	esac
	# cdrom=/iso/x is three words to bash
	[[ $cur == '=' ]] && eq=$COMP_CWORD || eq=$((COMP_CWORD - 1))
	if [[ $prog,${verb-} =~ ^vmadm,(start|boot)$ && ${COMP_WORDS[eq]} == '=' && ${COMP_WORDS[eq - 1]} =~ ^(cdrom|disk)$ ]]; then
		_cloister_files "${cur#=}"
		return
	fi
	case $arg in
	vm)
		if [[ $prog,${verb-} == vmadm,update ]] && ((COMP_CWORD > at)); then
			compopt -o nospace
			mapfile -t COMPREPLY < <(_cloister_properties | sed 's/$/=/' | _cloister_match "$cur")
		elif [[ $prog == vmadm ]] && ((COMP_CWORD > at)); then
			mapfile -t COMPREPLY < <(_cloister_after "$verb" "${COMP_WORDS[at]}" | _cloister_match "$cur")
			[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		else
			mapfile -t COMPREPLY < <(_cloister_vms | _cloister_match "$cur")
		fi
		;;
	image) mapfile -t COMPREPLY < <(_cloister_images | _cloister_match "$cur") ;;
	rule) mapfile -t COMPREPLY < <(fwadm list -p -o uuid 2>/dev/null | _cloister_match "$cur") ;;
	file) _cloister_files "$cur" ;;
	esac
}

complete -F _cloister cloister vmadm imgadm zlogin zoneadm zonecfg prctl sysinfo zonestat zonememstat kstat nictagadm dladm flowadm fwadm
