"""Settings of the documentation: `make docs` builds it, without a network."""

import importlib.metadata
import logging
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_sphinx"), str(HERE.parent)]

# The kernels that run the pages import what this process imports, on the CPU, one
# program at a time: figures and texts are the same on every machine.
# They show the last line of an error alone, and call a cell "cell" in messages.
profile = HERE.parent / "build" / "ipython" / "profile_default"
profile.mkdir(parents=True, exist_ok=True)
(profile / "ipython_config.py").write_text(
    'get_config().InteractiveShell.xmode = "Minimal"\n'
    "get_config().IPKernelApp.log_level = 40\n"
)
os.environ["IPYTHONDIR"] = str(profile.parent)
os.environ["IPYKERNEL_CELL_NAME"] = "cell"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
logging.getLogger("traitlets").setLevel(logging.WARNING)

project = "jnumerics"
author = "the maintainers of jnumerics"
version = release = importlib.metadata.version(project)
project_copyright = "the maintainers of jnumerics"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "docstrings",
    "mathml",
]
exclude_patterns = ["_sphinx", "_static"]
default_role = "py:obj"  # a name in single backticks: a link where it is ours
highlight_language = "none"

# Pages
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 120
nb_merge_streams = True
copybutton_exclude = ".linenos, .gp, .go"

# Reference
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 72
python_use_unqualified_type_names = True
add_module_names = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_preprocess_types = False
napoleon_custom_sections = [("Reference", "notes_style")]
toc_object_entries_show_parents = "hide"

# HTML
html_theme = "furo"
html_title = f"jnumerics {version}"
html_static_path = ["_static"]
html_css_files = ["jnumerics.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
templates_path: list[str] = []
