from ketadask import plot as plot
from ketadask.cohort.assemble import assemble as assemble
from ketadask.cohort.endpoints import Outcome as Outcome
from ketadask.cohort.splits import HoldoutSplit as HoldoutSplit
from ketadask.cohort.units import score_units as score_units
from ketadask.features.meg.graph import band_power as band_power
from ketadask.features.meg.graph import meg_features as meg_features
from ketadask.inference.notebook import judge as judge
from ketadask.inference.notebook import lazy_null as lazy_null
from ketadask.inference.notebook import null as null
from ketadask.inference.notebook import power as power
from ketadask.inference.trial_effects import compare_trials as compare_trials
from ketadask.report.page import write_report as write_report
from ketadask.schema.errors import InputError as InputError
from ketadask.search.persona import Persona as Persona
from ketadask.search.persona_search import PersonaSearch as PersonaSearch
from ketadask.search.top_personas import top_personas as top_personas
from ketadask.simulate.study import simulate_study as simulate_study
from ketadask.sources.freesurfer import open_volumes as open_volumes
from ketadask.sources.meg.collection import open_recordings as open_recordings
from ketadask.sources.participants import read_participants as read_participants
from ketadask.sources.phenotype import read_phenotype as read_phenotype
from ketadask.sources.regional import open_regions as open_regions
from ketadask.study.discover import discover as discover

__version__: str
__all__: list[str]

def __dir__() -> list[str]: ...
