# SPDX-License-Identifier: MPL-2.0
# A guest of 512 bytes for brand kvm: says on the first serial port that it is up, with the byte at 0x1e0 (its name), and then
# does what it hears: q powers the machine off, r resets it, t resets it by a triple fault, w writes its name to sector 1 and reads it back,
# p tells pvpanic that it panicked, d makes it deaf to its power button, s has it spin and h halt for ever; other letters it echoes.
# The power button (enabled here, for ACPI tells nobody else) makes it say so and power off.
	.code16
	.globl _start
_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7000, %sp
	movb %dl, drive
	movw $0x602, %dx          # PM1_EN: the power button
	movw $0x100, %ax
	outw %ax, %dx
	movw $up, %si
	call say
	movb name, %al
	call put
	movw $nl, %si
	call say
wait:
	movw $0x600, %dx          # PM1_STS
	inw %dx, %ax
	andw listen, %ax
	jnz button
	movw $0x3fd, %dx
	inb %dx, %al
	testb $1, %al
	jz wait
	movw $0x3f8, %dx
	inb %dx, %al
	cmpb $'q', %al
	je off
	cmpb $'r', %al
	je reset
	cmpb $'w', %al
	je write
	cmpb $'p', %al
	je panic
	cmpb $'d', %al
	je deafen
	cmpb $'s', %al
	je spin
	cmpb $'h', %al
	je idle
	cmpb $'t', %al
	je fault
	call put
	jmp wait
panic:
	call put
	movw $0x505, %dx          # pvpanic
	movb $1, %al
	outb %al, %dx
	jmp wait
deafen:
	movw $0, listen
	call put
	jmp wait
spin:
	call put
1:	jmp 1b
idle:
	call put
2:	hlt
	jmp 2b
fault:
	lidt none
	int3
none:	.fill 6, 1, 0
button:
	movw $pressed, %si
	call say
off:
	movw $0x604, %dx          # PM1_CNT: SLP_EN, S5
	movw $0x2000, %ax
	outw %ax, %dx
	jmp off
reset:
	movb $0xfe, %al
	outb %al, $0x64
	hlt
write:
	movw $0x8000, %di
	movb name, %al
	movb %al, (%di)
	movb $3, %ah              # int 13h, write one sector
	call disk
	movb $0, 0x8000
	movb $2, %ah              # and read it
	call disk
	movw $wrote, %si
	call say
	movb 0x8000, %al
	call put
	movw $nl, %si
	call say
	jmp wait
disk:
	movb $1, %al
	movw $0x8000, %bx
	movw $2, %cx              # cylinder 0, sector 2 of 1…
	movb drive, %dl
	movb $0, %dh
	sti
	int $0x13
	cli
	jc broken
	ret
broken:
	movw $bad, %si
	call say
	jmp wait
say:
	lodsb
	testb %al, %al
	jz 1f
	call put
	jmp say
1:	ret
put:
	movb %al, %bl
	movw $0x3fd, %dx
2:	inb %dx, %al
	testb $0x20, %al
	jz 2b
	movb %bl, %al
	movw $0x3f8, %dx
	outb %al, %dx
	ret
up:	.asciz "\r\nGUEST UP "
nl:	.asciz "\r\n"
pressed: .asciz "BUTTON\r\n"
wrote:	.asciz "WROTE "
bad:	.asciz "DISK BAD\r\n"
drive:	.byte 0
listen:	.word 0x100       # the bit of the power button, or none
	.org 0x1e0
name:	.byte '?'
	.org 0x1fe
	.word 0xaa55
