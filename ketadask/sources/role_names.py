"""Names of columns in tables of trials, by role, and of measures before and after treatment.

They come from the exports of REDCap, CDISC ADaM, OpenClinica and the tables of published trials.
"""

from __future__ import annotations

import re


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# From the most to the least certain.
NAMES_BY_ROLE = {
    "participant": _words("""
        participant_id participant subject_id subject subjid usubjid subjectkey patient_id patient
        patientid patno pat_no pat_id patid pid ptid pt_id record_id person_id person case_id caseid
        pidnum subject_no subject_number patient_no patient_number study_id id"""),
    "arm": _words("""
        arm trt01p trt01a trta trtp actarm study_arm treatment_arm treatment_group treatment treat
        treated trt trtment tx rx randomised_arm randomized_arm randomisation randomization
        allocation assignment assigned intervention therapy drug medication condition group grp
        armcd"""),
    "sequence": _words("sequence seq trtseq trtseqp order"),
    "period": _words("period infusion aperiod treatment_period phase"),
    "session": _words("""
        session_id session ses avisit visit visit_name timepoint time_point redcap_event_name
        event_name wave occasion assessment"""),
    "day": _words("""
        day study_day days_since_infusion ady week weeks wk month months visitnum avisitn visit_no
        visit_number time visit period redcap_repeat_instance"""),
    "site": _words(
        "site siteid site_id centre center clinic hospital inst redcap_data_access_group"
    ),
    "trial": _words("trial trial_id study studyid protocol"),
    "cluster": _words("cluster family_id family household twin twin_pair dyad"),
}
# Bookkeeping of REDCap and of ADaM's subjects, no measures.
BOOKKEEPING = re.compile(
    r"redcap_.*|.+_complete|(?:itt|saf|safety|comp|rand|enrl|anl01)fl|aseq|domain"
)
ROW_NAMES = _words("rownames row row_names unnamed_0 unnamed_1 index x_1 obs")
TIME_NAMES = _words("futime survtime survival_time time_to_event timetoevent os pfs time days")
EVENT_NAMES = _words("""
    status event death dead died censor censored censoring cens relapse cnsr fustat os_event
    arrest""")

# From the most to the least certain; the first that a column matches is the outcome.
OUTCOME_PATTERNS = (
    r"outcome|endpoint|primary|primary_outcome|primary_endpoint|y",
    r"(?:.*_)?(?:change|chg|delta|improvement|pchg|percent_change)(?:_.*)?",
    r"(?:.*_)?(?:responder|response|remitter|remission|cured?|success|recovered|improved)(?:_.*)?",
    r"post_?(?!code|al).*|.*_(?:post|after|final|end|followup|follow_up|fu|endpoint)",
    r"(?:aval|score|total|result)",
)

AFTER_PATTERNS = OUTCOME_PATTERNS[1:4]
AFTER = re.compile(
    r"(?:.*_)?(?:dropout|drop_out|withdrawn?|withdrew|discontinued|completed|completer|adverse|ae|"
    r"aes|side_effects?|days_in_study|end_date|last_visit|exit|lost_to_follow_up)(?:_.*)?"
)
AFTER_WORDS = r"(?:^post_?|_?(?:post|after|final|end|followup|follow_up|fu|endpoint)$)"
BEFORE_WORDS = r"(?:baseline|base|bl|pre|before|screening|t0|v0|w0|d0|day0|day_0|week0|week_0|0)"
_UNITS = "days?|weeks?|wks?|months?|mo|visit|time"
VISIT_SUFFIX = re.compile(
    rf"(?P<stem>[a-z][a-z0-9_]*?)(?:_?(?:{_UNITS})_?|_[dwmvt]_?)(?P<n>\d{{1,4}})"
    rf"|(?P<stem2>[a-z][a-z0-9_]*?)_(?P<n2>\d{{1,4}})_?(?:{_UNITS}|[dwm])"
    rf"|(?P<stem3>[a-z]{{3,}})(?P<n3>\d{{1,3}})(?:mo|wk|[dwm])"
    rf"|(?P<stem0>[a-z][a-z0-9_]*?)_{BEFORE_WORDS}"
)
