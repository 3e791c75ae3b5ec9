/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What our libraries show to the process that loads them: the one symbol that it
 * looks for, and nothing that could meet another library's. */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

struct library {
	uint8_t *data;
	size_t size;
};

static struct library load(const char *path)
{
	struct library lib;
	struct stat st;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		test_fail(__FILE__, __LINE__, "%s: %s", path, strerror(errno));
	check_eq(fstat(fd, &st), 0);
	lib.size = st.st_size;
	lib.data = mmap(NULL, lib.size, PROT_READ, MAP_PRIVATE, fd, 0);
	check(lib.data != MAP_FAILED);
	check_mem(lib.data, ELFMAG, SELFMAG);
	close(fd);
	return lib;
}

static const ElfW(Shdr) *find_section(const struct library *lib, uint32_t type)
{
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)lib->data;
	const ElfW(Shdr) *sections = (const ElfW(Shdr) *)(lib->data + header->e_shoff);
	unsigned int i;

	for (i = 0; i < header->e_shnum; i++) {
		if (sections[i].sh_type == type)
			return &sections[i];
	}
	test_fail(__FILE__, __LINE__, "no section of type %u", type);
}

static const char *string_at(const struct library *lib, uint32_t section, size_t at)
{
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)lib->data;
	const ElfW(Shdr) *sections = (const ElfW(Shdr) *)(lib->data + header->e_shoff);

	return (const char *)lib->data + sections[section].sh_offset + at;
}

static bool is_allowed(const char *name, const char * const *allowed)
{
	for (; *allowed; allowed++) {
		if (strcmp(name, *allowed) == 0)
			return true;
	}
	/* the address sanitizer's own */
	return strncmp(name, "__odr_asan", 10) == 0 || strncmp(name, "__asan", 6) == 0;
}

static void exports_only(const char *path, const char * const *allowed)
{
	struct library lib = load(path);
	const ElfW(Shdr) *section = find_section(&lib, SHT_DYNSYM);
	const ElfW(Sym) *symbols = (const ElfW(Sym) *)(lib.data + section->sh_offset);
	size_t i, n = section->sh_size / sizeof(*symbols);
	bool found = false;

	for (i = 0; i < n; i++) {
		const char *name = string_at(&lib, section->sh_link, symbols[i].st_name);

		if (symbols[i].st_shndx == SHN_UNDEF || name[0] == '\0')
			continue;
		if (!is_allowed(name, allowed))
			test_fail(__FILE__, __LINE__, "%s exports %s", path, name);
		found |= strcmp(name, allowed[0]) == 0;
	}
	check(found);
	munmap(lib.data, lib.size);
}

/* "libfoo.so.1" and the like, of which it needs no one named `name` */
static void needs_none_of(const char *path, const char *name)
{
	struct library lib = load(path);
	const ElfW(Shdr) *section = find_section(&lib, SHT_DYNAMIC);
	const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(lib.data + section->sh_offset);
	const char *needed;

	for (; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag != DT_NEEDED)
			continue;
		needed = string_at(&lib, section->sh_link, entry->d_un.d_val);
		if (strstr(needed, name))
			test_fail(__FILE__, __LINE__, "%s is linked to %s", path, needed);
	}
	munmap(lib.data, lib.size);
}

TEST(the_plugin_exports_its_factories_alone)
{
	/* the second is what PipeWire 1.2 looks for, where headers have it */
	static const char * const allowed[] = {
		"spa_handle_factory_enum", "spa_log_topic_enum", NULL
	};

	exports_only(XEN_SND_PLUGIN, allowed);
}

TEST(the_module_exports_its_start_alone)
{
	static const char * const allowed[] = { "pipewire__module_init", NULL };

	exports_only(XEN_SND_MODULE, allowed);
}

TEST(the_plugin_needs_neither_xen_nor_libpipewire)
{
	needs_none_of(XEN_SND_PLUGIN, "xen");
	needs_none_of(XEN_SND_PLUGIN, "pipewire");
}
