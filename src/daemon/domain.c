/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A domain that has cards, see domain.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <spa/utils/string.h>

#include "clock.h"
#include "config.h"
#include "domain.h"
#include "log.h"
#include "names.h"
#include "xenbus.h"

#define QUIET_NSEC	SPA_NSEC_PER_SEC

void domain_set_limits(struct domain *domain, const struct stream_identity *id)
{
	struct config *config;
	char domid[16];
	const struct spa_dict_item items[] = {
		{ KEY_XEN_DOMID, domid },
		{ KEY_XEN_GUEST_NAME, id->guest },
		{ KEY_XEN_GUEST_UUID, id->uuid },
	};

	if (budget_held(&domain->budgets, BUDGET_CARDS) > 0)
		return;
	snprintf(domid, sizeof(domid), "%u", domain->domid);
	config = config_get(domain->xenbus->env->config);
	config_set_budgets(config, &SPA_DICT_INIT_ARRAY(items), &domain->budgets);
	config_unref(config);
}

void domain_reach(struct domain *domain, enum budget_id id)
{
	guest_reached(&domain->budgets, id, "domain %u", domain->domid);
}

/* Lines of log that are too many are told of when they have ended. */

static void on_timer(void *data, uint64_t expirations)
{
	struct domain *domain = data;
	uint64_t more = atomic_exchange(&domain->budgets.dropped, 0);

	domain->dropped += more;
	if (more > 0) {
		clock_fire_after(domain->xenbus->worker.loop, domain->timer, QUIET_NSEC);
		return;
	}
	budget_spend(&domain->budgets, BUDGET_LOG_LINES, clock_now());
	pw_log_warn("domain %u: %"PRIu64" lines of log were dropped", domain->domid,
			domain->dropped);
	domain->dropped = 0;
}

static void on_letter(struct letter *letter)
{
	struct domain *domain = SPA_CONTAINER_OF(letter, struct domain, letter);

	/* its line is the one that the budget leaves for this */
	if (budget_reach(&domain->budgets, BUDGET_LOG_LINES))
		pw_log_warn(GUEST_REACHED_FORMAT("domain %u"), domain->domid,
				GUEST_REACHED_ARGS(&domain->budgets, BUDGET_LOG_LINES));
	clock_fire_after(domain->xenbus->worker.loop, domain->timer, QUIET_NSEC);
}

static void on_dropped(struct budgets *budgets)
{
	struct domain *domain = SPA_CONTAINER_OF(budgets, struct domain, budgets);

	mailbox_post(&domain->xenbus->worker.mailbox, &domain->letter);
}

/* Getting one. */

static struct domain *domain_new(struct xenbus *xenbus, uint32_t domid)
{
	struct domain *domain;
	int res;

	if ((domain = calloc(1, sizeof(*domain))) == NULL)
		return NULL;
	domain->xenbus = xenbus;
	domain->domid = domid;
	domain->letter.read = on_letter;
	budgets_set_normal(&domain->budgets);
	domain->budgets.on_dropped = on_dropped;
	domain->timer = pw_loop_add_timer(xenbus->worker.loop, on_timer, domain);
	if (domain->timer == NULL) {
		res = -errno;
		free(domain);
		errno = -res;
		return NULL;
	}
	spa_list_append(&xenbus->domains, &domain->link);
	return domain;
}

/* One line: the budget leaves room for that. */
static void tell_reached(const struct domain *domain)
{
	const struct budgets *b = &domain->budgets;
	uint64_t lost = domain->dropped + atomic_load(&b->dropped);
	char text[N_BUDGETS * 64 + 64];
	struct spa_strbuf buf;
	uint32_t id;

	spa_strbuf_init(&buf, text, sizeof(text));
	for (id = 0; id < N_BUDGETS; id++) {
		if (budget_reached(b, id) > 0)
			spa_strbuf_append(&buf, "%s %s of %u %"PRIu64" times", buf.pos ? "," : " reached",
					budget_infos[id].key, b->of[id].limit, budget_reached(b, id));
	}
	if (lost > 0)
		spa_strbuf_append(&buf, "%s %"PRIu64" lines of log were dropped", buf.pos ? ";" : "",
				lost);
	if (buf.pos > 0)
		pw_log(lost > 0 ? SPA_LOG_LEVEL_WARN : SPA_LOG_LEVEL_INFO, "domain %u:%s",
				domain->domid, text);
}

static void domain_free(struct domain *domain)
{
	struct worker *worker = &domain->xenbus->worker;

	tell_reached(domain);
	spa_list_remove(&domain->link);
	mailbox_cancel(&worker->mailbox, &domain->letter);
	pw_loop_destroy_source(worker->loop, domain->timer);
	free(domain);
}

struct domain *domain_get(struct xenbus *xenbus, uint32_t domid)
{
	struct domain *domain;

	spa_list_for_each(domain, &xenbus->domains, link) {
		if (domain->domid == domid) {
			domain->cards++;
			return domain;
		}
	}
	if ((domain = domain_new(xenbus, domid)) != NULL)
		domain->cards = 1;
	return domain;
}

void domain_put(struct domain *domain)
{
	if (--domain->cards == 0)
		domain_free(domain);
}
