"""What a person is put in front of: colours, a gallery on disk, and pictures found on the web."""

from sightline.backgrounds.base import Background, Provider, cover
from sightline.backgrounds.choose import PROVIDERS, choose
from sightline.backgrounds.color import solid
from sightline.backgrounds.gallery import Gallery

__all__ = ["PROVIDERS", "Background", "Gallery", "Provider", "choose", "cover", "solid"]
