"""`tickets schema`: what an editor checks recipes against."""


def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    import json

    from robust_tickets.recipe import recipe_schema

    print(json.dumps(recipe_schema(), indent=2))
