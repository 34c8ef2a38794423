/* Holds a program, its threads and all of its libraries to AVX2.

       cc -shared -fPIC -o hold.so hold_to_avx2.c && LD_PRELOAD=./hold.so program

   The kernel makes the instruction CPUID fault; this runs it and leaves out of the answer what
   came after AVX2. Programs that are started inherit LD_PRELOAD. Needs Linux on x86-64 with
   `cpuid_fault` in /proc/cpuinfo, which itself still names everything. */

#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
#define BIT(n) (1u << (n))

/* Leaf 7, part 0: AVX-512 with VNNI, GFNI, VAES and VPCLMULQDQ, AMX. */
#define LATER_B (BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31))
#define LATER_C (BIT(1) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(14))
#define LATER_D (BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25))

static void allow_cpuid(int allowed) {
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, allowed)) {
        static const char text[] = "CPUID cannot be made to fault here.\n";
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        _exit(1);
    }
}

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)registers[REG_RIP];
    if (code[0] != 0x0F || code[1] != 0xA2) {
        signal(number, SIG_DFL); /* a fault of the program's own happens again, and ends it */
        return;
    }
    unsigned leaf = (unsigned)registers[REG_RAX], part = (unsigned)registers[REG_RCX];
    unsigned a, b, c, d;
    allow_cpuid(1);
    __cpuid_count(leaf, part, a, b, c, d);
    allow_cpuid(0);
    if (leaf == 7 && part == 0) {
        b &= ~LATER_B, c &= ~LATER_C, d &= ~LATER_D;
    } else if (leaf == 7 || leaf == 0x1D || leaf == 0x1E) { /* AVX-VNNI and the like; AMX's tiles */
        a = b = c = d = 0;
    }
    registers[REG_RAX] = a, registers[REG_RBX] = b, registers[REG_RCX] = c, registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

extern int __sigaction(int, const struct sigaction *, struct sigaction *);

/* Nobody else handles these faults; the workers of a DataLoader would. */
int sigaction(int number, const struct sigaction *action, struct sigaction *before) {
    return __sigaction(number, number == SIGSEGV ? NULL : action, before);
}

__attribute__((constructor)) static void hold(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    __sigaction(SIGSEGV, &action, NULL);
    allow_cpuid(0);
}
