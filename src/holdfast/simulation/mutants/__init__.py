"""The product with one mechanism taken out at a time, to see that the simulation notices.

Nothing of this is reached from the product: `holdfast-dev mutants` and the tests switch a mutant in
for the length of a run, by replacing attributes from the outside, and take it out again.
"""

from __future__ import annotations

from .patching import Mutant, Patch, applied
from .table import MUTANTS

__all__ = ["MUTANTS", "Mutant", "Patch", "applied"]
