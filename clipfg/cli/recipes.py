"""`clipfg recipes`: ways to fine-tune, by name."""

from typing import Annotated

import typer

from clipfg.cli.command import command
from clipfg.options import FormatOptions

app = typer.Typer(help="Ways to fine-tune an encoder.", no_args_is_help=True)

NAME = typer.Argument(metavar="NAME", help="A recipe of `clipfg recipes list`.")


@command(FormatOptions)
def list_recipes(options: FormatOptions) -> None:
    """List the recipes and what each is good for."""
    from clipfg.cli.output import print_rows
    from clipfg.workflows.catalogue.recipes import recipe_rows

    print_rows(recipe_rows(), options.format)


@command(FormatOptions)
def show_recipe(options: FormatOptions, name: Annotated[str, NAME]) -> None:
    """Show every number of a recipe, as --set of `clipfg finetune` changes it."""
    from clipfg.cli.output import print_rows
    from clipfg.workflows.catalogue.recipes import recipe_facts

    print_rows(recipe_facts(name), options.format)


@command(FormatOptions)
def list_losses(options: FormatOptions) -> None:
    """List the losses that a recipe can add up (--set losses="contrastive + 0.5 regions")."""
    from clipfg.cli.output import print_rows
    from clipfg.workflows.catalogue.recipes import loss_rows

    print_rows(loss_rows(), options.format)


app.command("list")(list_recipes)
app.command("show")(show_recipe)
app.command("losses")(list_losses)
