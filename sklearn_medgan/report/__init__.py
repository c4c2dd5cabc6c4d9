"""What a result says, as one HTML file that needs nothing else: no network, no font, no script from elsewhere."""

from ._headline import headline
from ._page import fragment, page
from ._pictures import png

__all__ = ["fragment", "headline", "page", "png"]
