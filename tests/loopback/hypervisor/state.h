/* SPDX-License-Identifier: MIT */
/*
 * The state of the loopback hypervisor: domains, their pages, grants, event channels and
 * who has mapped or bound what. It lives in files in $XEN_LOOPBACK_DIR that every process
 * maps, so that backend, xenstored and model frontends share one hypervisor.
 *
 *   lock       taken with flock() by everything but notify, unmask and pending
 *   global     struct hv_global
 *   domain-N   struct hv_domain, then its pages
 *   queue-N    a FIFO of port numbers: what a descriptor of /dev/xen/evtchn reads as
 *
 * The backend is in Dom0, or in the driver domain that $XEN_LOOPBACK_BACKEND numbers.
 */
#ifndef XEN_LOOPBACK_STATE_H
#define XEN_LOOPBACK_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HV_PAGE_SIZE 4096u
#define HV_PAGES 8192u
#define HV_PORTS 4096u	/* as many as Xen has for a domain without FIFO */
#define HV_DOMAINS 64u
#define HV_MAPS 65536u
#define HV_FIRST_GREF 8u	/* those below are reserved, as in Xen */
#define HV_XENSTORE_GREF 1u
#define HV_NO_QUEUE UINT32_MAX

enum hv_domain_state {
	HV_DOMAIN_RUNNING,
	HV_DOMAIN_CRASHED,
	HV_DOMAIN_DYING,
};

enum hv_grant_flags {
	HV_GRANT_VALID = 1 << 0,
	HV_GRANT_READONLY = 1 << 1,
};

enum hv_port_kind {
	HV_PORT_FREE,
	HV_PORT_UNBOUND,
	HV_PORT_INTERDOMAIN,
	HV_PORT_VIRQ,
};

/* Bits of hv_port.signal, changed atomically by any process. */
enum hv_port_signal {
	HV_SIGNAL_PENDING = 1 << 0,
	HV_SIGNAL_MASKED = 1 << 1,	/* delivered, and not unmasked since */
};

struct hv_port {
	uint32_t signal;
	uint32_t kind;
	uint32_t queue;
	int32_t pid;
	uint32_t remote_domid;	/* of an unbound port: who may bind */
	uint32_t remote_port;
	uint32_t virq;
	uint64_t notified_ns;	/* CLOCK_MONOTONIC when the other end last notified. Atomic */
};

struct hv_grant {
	uint32_t flags;
	uint32_t domid;
};

struct hv_domain {
	uint32_t domid;
	uint32_t state;
	uint32_t store_port;
	uint32_t map_delay_ms;	/* a guest whose pages take their time */
	struct hv_grant grants[HV_PAGES];
	struct hv_port ports[HV_PORTS];
};

/* One mapped page. A record whose process is gone counts no more. */
struct hv_map {
	int32_t pid;
	uint32_t domid;
	uint32_t gref;
};

struct hv_global {
	uint32_t next_queue;
	uint32_t maps_used;	/* records beyond it have never been used */
	struct hv_map maps[HV_MAPS];
};

/** attach this process to the hypervisor of $XEN_LOOPBACK_DIR; NULL and errno if there is none */
struct hv_global *hv_attach(void);

/** the domain that the backend is in, and that guests grant their pages to */
uint32_t hv_backend_domid(void);

/** for everything that changes more than a port's signal; returns a token for hv_unlock() */
int hv_lock(void);
void hv_unlock(int token);

struct hv_domain *hv_domain_create(uint32_t domid);
/** NULL and errno ESRCH when there is no such domain */
struct hv_domain *hv_domain_find(uint32_t domid);
int hv_domain_remove(uint32_t domid);

/** a descriptor for mapping the domain's pages; never closed by the caller */
int hv_domain_fd(uint32_t domid, bool writable);
/** where page `index` of a domain lies in its file */
off_t hv_page_offset(uint32_t index);

/** the records of live maps; all with the lock held */
int hv_map_add(uint32_t domid, uint32_t gref);
void hv_map_del(int record);
uint32_t hv_map_count(uint32_t domid);
bool hv_grant_is_mapped(uint32_t domid, uint32_t gref);
/** the backend's ports that are bound to this domain, the XenStore's apart */
uint32_t hv_bound_count(uint32_t domid);

/** queues of port numbers */
uint32_t hv_queue_create(void);
void hv_queue_remove(uint32_t queue);
int hv_queue_open(uint32_t queue, int flags);
/** the queue behind a descriptor, HV_NO_QUEUE if it is none */
uint32_t hv_queue_of_fd(int fd);

/** event channels; allocating, binding and freeing with the lock held */
int hv_port_alloc(struct hv_domain *d, uint32_t queue);
void hv_port_free(struct hv_domain *d, uint32_t port);
int hv_port_bind(uint32_t local_domid, uint32_t queue, uint32_t remote_domid, uint32_t remote_port);
/** set it pending and deliver it unless masked: at most one non-blocking write, no lock */
int hv_port_raise(struct hv_port *p, uint32_t number, int queue_fd);
int hv_port_unmask(struct hv_port *p, uint32_t number, int queue_fd);

bool hv_process_is_alive(int32_t pid);

#endif
