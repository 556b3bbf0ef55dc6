"""What Rekognition's clients call the things that models here can name: label, ancestors and category.

The names, the order of ancestors (parent first) and the categories follow the words of Amazon's developer guide; which
ancestors a label has is this project's own table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """A label as clients know it."""

    name: str
    parents: tuple[str, ...] = ()
    """Its ancestors, the nearest first."""
    category: str | None = None


_VEHICLES = "Vehicles and Automotive"
_TRANSPORT = "Transport and Logistics"
_ANIMALS = "Animals and Pets"
_FOOD = "Food and Beverage"
_HOME = "Home and Indoors"
_FURNITURE = "Furniture and Furnishings"
_KITCHEN = "Kitchen and Dining"
_TECHNOLOGY = "Technology and Computing"
_APPAREL = "Apparel and Accessories"
_SPORTS = "Sports"
_STREET = "Public Safety"
_TOOLS = "Tools and Machinery"

# COCO's name, the label, its ancestors, its category.
_ROWS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("person", "Person", (), "Person Description"),
    ("bicycle", "Bicycle", ("Vehicle", "Transportation"), _VEHICLES),
    ("car", "Car", ("Vehicle", "Transportation"), _VEHICLES),
    ("motorcycle", "Motorcycle", ("Vehicle", "Transportation"), _VEHICLES),
    ("airplane", "Airplane", ("Aircraft", "Vehicle", "Transportation"), _VEHICLES),
    ("bus", "Bus", ("Vehicle", "Transportation"), _VEHICLES),
    ("train", "Train", ("Railway", "Vehicle", "Transportation"), _VEHICLES),
    ("truck", "Truck", ("Vehicle", "Transportation"), _VEHICLES),
    ("boat", "Boat", ("Vehicle", "Transportation"), _VEHICLES),
    ("traffic light", "Traffic Light", ("Light",), _TRANSPORT),
    ("fire hydrant", "Fire Hydrant", ("Hydrant",), _STREET),
    ("stop sign", "Stopsign", ("Road Sign", "Sign", "Symbol"), _TRANSPORT),
    ("parking meter", "Parking Meter", (), _TRANSPORT),
    ("bench", "Bench", ("Furniture",), _FURNITURE),
    ("bird", "Bird", ("Animal",), _ANIMALS),
    ("cat", "Cat", ("Pet", "Mammal", "Animal"), _ANIMALS),
    ("dog", "Dog", ("Pet", "Canine", "Mammal", "Animal"), _ANIMALS),
    ("horse", "Horse", ("Mammal", "Animal"), _ANIMALS),
    ("sheep", "Sheep", ("Livestock", "Mammal", "Animal"), _ANIMALS),
    ("cow", "Cow", ("Cattle", "Livestock", "Mammal", "Animal"), _ANIMALS),
    ("elephant", "Elephant", ("Wildlife", "Mammal", "Animal"), _ANIMALS),
    ("bear", "Bear", ("Wildlife", "Mammal", "Animal"), _ANIMALS),
    ("zebra", "Zebra", ("Wildlife", "Mammal", "Animal"), _ANIMALS),
    ("giraffe", "Giraffe", ("Wildlife", "Mammal", "Animal"), _ANIMALS),
    ("backpack", "Backpack", ("Bag",), _APPAREL),
    ("umbrella", "Umbrella", ("Canopy",), _APPAREL),
    ("handbag", "Handbag", ("Bag", "Accessories"), _APPAREL),
    ("tie", "Tie", ("Accessories", "Formal Wear"), _APPAREL),
    ("suitcase", "Suitcase", ("Luggage", "Bag"), _APPAREL),
    ("frisbee", "Frisbee", ("Toy",), _SPORTS),
    ("skis", "Ski", ("Sport",), _SPORTS),
    ("snowboard", "Snowboard", ("Sport",), _SPORTS),
    ("sports ball", "Ball", ("Sport",), _SPORTS),
    ("kite", "Kite", ("Toy",), "Hobbies and Interests"),
    ("baseball bat", "Baseball Bat", ("Baseball", "Sport"), _SPORTS),
    ("baseball glove", "Baseball Glove", ("Baseball", "Glove", "Sport"), _SPORTS),
    ("skateboard", "Skateboard", ("Sport",), _SPORTS),
    ("surfboard", "Surfboard", ("Sport",), _SPORTS),
    ("tennis racket", "Tennis Racket", ("Racket", "Sport"), _SPORTS),
    ("bottle", "Bottle", (), _FOOD),
    ("wine glass", "Wine Glass", ("Glass", "Cup"), _KITCHEN),
    ("cup", "Cup", (), _KITCHEN),
    ("fork", "Fork", ("Cutlery",), _KITCHEN),
    ("knife", "Knife", ("Cutlery",), _KITCHEN),
    ("spoon", "Spoon", ("Cutlery",), _KITCHEN),
    ("bowl", "Bowl", (), _KITCHEN),
    ("banana", "Banana", ("Fruit", "Produce", "Food"), _FOOD),
    ("apple", "Apple", ("Fruit", "Produce", "Food"), _FOOD),
    ("sandwich", "Sandwich", ("Food",), _FOOD),
    ("orange", "Orange", ("Citrus Fruit", "Fruit", "Produce", "Food"), _FOOD),
    ("broccoli", "Broccoli", ("Vegetable", "Produce", "Food"), _FOOD),
    ("carrot", "Carrot", ("Vegetable", "Produce", "Food"), _FOOD),
    ("hot dog", "Hot Dog", ("Food",), _FOOD),
    ("pizza", "Pizza", ("Food",), _FOOD),
    ("donut", "Donut", ("Sweets", "Food"), _FOOD),
    ("cake", "Cake", ("Dessert", "Food"), _FOOD),
    ("chair", "Chair", ("Furniture",), _FURNITURE),
    ("couch", "Couch", ("Furniture",), _FURNITURE),
    ("potted plant", "Potted Plant", ("Plant",), "Plants and Flowers"),
    ("bed", "Bed", ("Furniture",), _FURNITURE),
    ("dining table", "Dining Table", ("Table", "Furniture"), _FURNITURE),
    ("toilet", "Toilet", ("Bathroom", "Indoors"), _HOME),
    ("tv", "TV", ("Monitor", "Screen", "Electronics"), _TECHNOLOGY),
    ("laptop", "Laptop", ("Computer", "Electronics"), _TECHNOLOGY),
    ("mouse", "Mouse", ("Computer Hardware", "Electronics"), _TECHNOLOGY),
    ("remote", "Remote Control", ("Electronics",), _TECHNOLOGY),
    ("keyboard", "Computer Keyboard", ("Computer Hardware", "Electronics"), _TECHNOLOGY),
    ("cell phone", "Mobile Phone", ("Phone", "Electronics"), _TECHNOLOGY),
    ("microwave", "Microwave", ("Appliance", "Electrical Device"), _HOME),
    ("oven", "Oven", ("Appliance", "Electrical Device"), _HOME),
    ("toaster", "Toaster", ("Appliance", "Electrical Device"), _HOME),
    ("sink", "Sink", (), _HOME),
    ("refrigerator", "Refrigerator", ("Appliance", "Electrical Device"), _HOME),
    ("book", "Book", ("Publication",), "Education"),
    ("clock", "Clock", (), _HOME),
    ("vase", "Vase", ("Jar",), _HOME),
    ("scissors", "Scissors", (), _TOOLS),
    ("teddy bear", "Teddy Bear", ("Toy",), "Toys and Gaming"),
    ("hair drier", "Hair Drier", ("Appliance", "Electrical Device"), "Beauty and Personal Care"),
    ("toothbrush", "Toothbrush", ("Brush",), "Beauty and Personal Care"),
)

TERMS = {coco: Term(name, parents, category) for coco, name, parents, category in _ROWS}
# An ancestor is of the category of the first label below it, but for toys, most of which no label here stands for.
_CATEGORIES = {parent: category for _, _, parents, category in reversed(_ROWS) for parent in parents}
_CATEGORIES |= {label: category for _, label, _, category in _ROWS} | {"Toy": "Toys and Gaming"}


def term(name: str) -> Term:
    """The label for a model's own name of a thing; for one that is not COCO's, the name with capitals and nothing
    above it."""
    return TERMS.get(name) or Term(name.replace("_", " ").title())


def category(label: str) -> str | None:
    """The category of a label or of an ancestor; None for one that is not in the table."""
    return _CATEGORIES.get(label)
