"""How long each kind of row is kept: one table of rules, and the statement that applies one.

Never deletes an audit event (months of them go as a whole, see ``audit_partitions``), and never a
row on which the recognition of a replay or the telling
of Drupal still depends.
"""

from dataclasses import dataclass
from typing import Final, LiteralString

from shared.state.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """Rows of ``table`` for which ``condition`` holds are deleted.

    The condition states the rule and its margin; ``why`` says what the margin is for.
    """

    name: str
    table: LiteralString
    condition: LiteralString
    why: str


RULES: Final[tuple[RetentionRule, ...]] = (
    RetentionRule(
        name="sign_ins_expired",
        table="app.sign_ins",
        condition="expires_at < app.now() - interval '1 hour'",
        why="A late return from Drupal within the hour is still told apart in the log.",
    ),
    RetentionRule(
        name="account_sign_ins_expired",
        table="app.account_sign_ins",
        condition="expires_at < app.now()",
        why="Whoever comes back later has to sign in again.",
    ),
    RetentionRule(
        name="account_visits_over",
        table="app.account_visits",
        condition="idle_ends_at < app.now()",
        why="A visit that is over means nothing.",
    ),
    RetentionRule(
        name="authorization_codes_spent",
        table="app.authorization_codes",
        condition="expires_at < app.now() - interval '1 day'"
        " AND (used_at IS NOT NULL OR EXISTS (SELECT 1 FROM app.grants g"
        " WHERE g.grant_id = authorization_codes.grant_id AND g.status = 'ended'))",
        why="A replay within the day ends the grant; an unredeemed grant is ended first.",
    ),
    RetentionRule(
        name="access_tokens_expired",
        table="app.access_tokens",
        condition="expires_at < app.now() - interval '1 day'",
        why="For a day the client hears that its token has expired, not that it is unknown.",
    ),
    RetentionRule(
        name="refresh_tokens_expired",
        table="app.refresh_tokens",
        condition="expires_at < app.now() - interval '1 day'"
        " AND (used_at IS NOT NULL OR EXISTS (SELECT 1 FROM app.sessions s"
        " WHERE s.session_id = refresh_tokens.session_id AND s.ended_at IS NOT NULL))",
        why="A used token shows its reuse until it would have expired; the last one of a family"
        " stays until the family has ended.",
    ),
    RetentionRule(
        name="sessions_over",
        table="app.sessions",
        condition="(ended_at < app.now() - interval '90 days'"
        " OR absolute_expires_at < app.now() - interval '90 days')",
        why="Sign-outs are accounted for by cause for 90 days.",
    ),
    RetentionRule(
        name="browser_approvals_expired",
        table="app.browser_approvals",
        condition="expires_at < app.now()",
        why="An expired approval means nothing.",
    ),
    RetentionRule(
        name="refresh_attempts_old",
        table="app.refresh_attempts",
        condition="started_at < app.now() - interval '7 days'",
        why="A pair that came back late is looked for during 7 days.",
    ),
    RetentionRule(
        name="grants_ended",
        table="app.grants",
        condition="status = 'ended' AND pair_ciphertext IS NULL"
        " AND ended_at < app.now() - interval '90 days'"
        " AND NOT EXISTS (SELECT 1 FROM app.revocation_outbox o"
        " WHERE o.grant_id = grants.grant_id)",
        why="As sessions; and never before Drupal was told.",
    ),
    RetentionRule(
        name="discarded_pairs_worthless",
        table="app.discarded_pairs",
        condition="created_at < app.now() - interval '180 days'",
        why="Drupal could not be told; no refresh token lives that long unused.",
    ),
    RetentionRule(
        name="people_unseen",
        table="app.users",
        condition="seen_at < app.now() - interval '90 days'"
        " AND (erasure_requested_at IS NULL OR erased_at IS NOT NULL)"
        " AND NOT EXISTS (SELECT 1 FROM app.grants g WHERE g.user_id = users.user_id)"
        " AND NOT EXISTS (SELECT 1 FROM app.discarded_pairs d WHERE d.user_id = users.user_id)",
        why="Who has neither a grant nor been here for 90 days is not remembered; salt and id at"
        " the site go.",
    ),
    RetentionRule(
        name="clients_unused",
        table="app.clients",
        condition="unused_expires_at < app.now()"
        " AND blocked_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM app.grants g WHERE g.client_id = clients.client_id)"
        " AND NOT EXISTS (SELECT 1 FROM app.sign_ins i WHERE i.client_id = clients.client_id)",
        why="Anybody can register; only what was signed in with stays, or is about to be."
        " A blocked one stays: the block would go with it.",
    ),
    RetentionRule(
        name="clients_left",
        table="app.clients",
        condition="kind = 'dynamic' AND unused_expires_at IS NULL"
        " AND created_at < app.now() - interval '13 months'"
        " AND blocked_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM app.grants g WHERE g.client_id = clients.client_id)"
        " AND NOT EXISTS (SELECT 1 FROM app.sign_ins i WHERE i.client_id = clients.client_id)",
        why="Some clients register with another address at every sign-in. A grant stays for 90 days"
        " after its end, and only then can its client go: one that comes back has to register.",
    ),
    RetentionRule(
        name="assertion_ids_expired",
        table="app.assertion_ids",
        condition="expires_at < app.now() - interval '1 hour'",
        why="An expired assertion is refused anyhow; the hour forgives a clock that is set back.",
    ),
    RetentionRule(
        name="client_documents_old",
        table="app.client_documents",
        condition="(document IS NULL AND changed_at < app.now() - interval '1 hour')"
        " OR (changed_at < app.now() - interval '31 days')",
        why="A document stands in for 30 days; a failure alone is remembered for minutes.",
    ),
    RetentionRule(
        name="client_key_sets_old",
        table="app.client_key_sets",
        condition="changed_at < app.now() - interval '2 days'",
        why="Keys count for a day at most after they were fetched.",
    ),
    RetentionRule(
        name="client_document_hosts_quiet",
        table="app.client_document_hosts",
        condition="minute_began_at < app.now() - interval '1 hour'",
        why="Fetches are counted by the minute.",
    ),
    RetentionRule(
        name="rate_limits_full",
        table="app.rate_limits",
        condition="full_at < app.now()",
        why="An allowance of which nothing is used is what everybody has without an entry.",
    ),
    RetentionRule(
        name="tool_catalogue_old",
        table="app.tool_catalogue",
        condition="listed_at < app.now() - interval '30 days'",
        why="It serves for a day; for a month the names of a person's tools keep their meaning.",
    ),
    RetentionRule(
        name="calls_in_flight_lost",
        table="app.calls_in_flight",
        condition="ends_by < app.now() - interval '1 hour'",
        why="A call that was never closed holds its slot for half a minute; then it means nothing.",
    ),
    RetentionRule(
        name="session_networks_old",
        table="app.session_networks",
        condition="seen_at < app.now() - interval '1 day'",
        why="How many networks a session had is asked of the last day only.",
    ),
    RetentionRule(
        name="content_shown_old",
        table="app.content_shown",
        condition="shown_at < app.now() - interval '1 day'",
        why="A day-old copy helps nobody, and the site may have changed its mind since.",
    ),
    RetentionRule(
        name="kept_searches_old",
        table="app.kept_searches",
        condition="found_at < app.now() - interval '1 day'",
        why="Day-old results help nobody.",
    ),
    RetentionRule(
        name="content_bodies_unread",
        table="app.content_bodies",
        condition="stored_at < app.now() - interval '1 hour'"
        " AND NOT EXISTS (SELECT 1 FROM app.content_shown s"
        " WHERE s.body_hash = content_bodies.body_hash)",
        why="Nobody can reach it; the hour is for a note whose body has just come.",
    ),
    RetentionRule(
        name="usage_events_old",
        table="app.usage_events",
        condition="occurred_at < app.now() - interval '90 days'",
        why="Rows of people are for roll-ups, which look at 56 days and are made within hours.",
    ),
    RetentionRule(
        name="searches_shown_old",
        table="app.searches_shown",
        condition="shown_at < app.now() - interval '1 hour'",
        why="What is read half an hour after a search was not chosen from its results.",
    ),
    RetentionRule(
        name="usage_hours_old",
        table="app.usage_hours",
        condition="starts_at < app.now() - interval '13 months'",
        why="Hours of a month can be compared with the same month of the year before.",
    ),
    RetentionRule(
        name="usage_rolled_old",
        table="app.usage_rolled",
        condition="starts_at < app.now() - CASE grain WHEN 'hour' THEN interval '13 months'"
        " ELSE interval '5 years' END",
        why="As long as what was rolled up then.",
    ),
    RetentionRule(
        name="usage_days_old",
        table="app.usage_days",
        condition="day < app.now() - interval '5 years'",
        why="Counts of a day tell of nobody; trends are looked at over years.",
    ),
    RetentionRule(
        name="usage_day_people_old",
        table="app.usage_day_people",
        condition="day < app.now() - interval '5 years'",
        why="As usage_days_old.",
    ),
    RetentionRule(
        name="usage_day_access_old",
        table="app.usage_day_access",
        condition="day < app.now() - interval '5 years'",
        why="As usage_days_old.",
    ),
    RetentionRule(
        name="usage_day_content_old",
        table="app.usage_day_content",
        condition="day < app.now() - interval '5 years'",
        why="As usage_days_old.",
    ),
    RetentionRule(
        name="usage_day_queries_old",
        table="app.usage_day_queries",
        condition="day < app.now() - interval '13 months'",
        why="What several people have searched for can be compared with the year before.",
    ),
    RetentionRule(
        name="content_titles_unseen",
        table="app.content_titles",
        condition="seen_at < app.now() - interval '13 months'",
        why="What nobody reads is in no list.",
    ),
)


async def purge(tx: Transaction, rule: RetentionRule, *, limit: int) -> int:
    """Delete up to ``limit`` rows by one rule; fewer deleted than that means that none is left.

    Rows that somebody holds are left for the next time.
    """
    statement = (
        f"DELETE FROM {rule.table} WHERE ctid = ANY(ARRAY("  # noqa: S608 - literals of this file
        f"SELECT ctid FROM {rule.table} WHERE {rule.condition}"
        " LIMIT %(limit)s FOR UPDATE SKIP LOCKED))"
    )
    return await tx.execute(statement, {"limit": limit})
