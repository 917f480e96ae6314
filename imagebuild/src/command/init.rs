use std::io;

use super::project;
use crate::{
    cli,
    exit::{Exit, Failure},
    files, ui,
};

/// Writes a recipe and a policy that work, and makes the signing key.
pub(super) fn run(args: &cli::Init) -> Result<Exit, Failure> {
    let policies = args.dir.join("policies");
    let scripts = args.dir.join("scripts");
    files::make_folder(&policies)?;
    files::make_folder(&scripts)?;
    let templates = [
        (args.dir.join("recipe.toml"), RECIPE, 0o644),
        (policies.join("desktop.toml"), POLICY, 0o644),
        (scripts.join("desktop.sh"), SCRIPT, 0o755),
    ];
    for (path, text, mode) in templates {
        match files::create(&path, text.as_bytes(), mode) {
            Ok(()) => ui::say(&format!("wrote {}", path.display())),
            Err(error)
                if error
                    .io()
                    .is_some_and(|e| e.kind() == io::ErrorKind::AlreadyExists) =>
            {
                ui::say(&format!("kept {}", path.display()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    project::key()?;
    let recipe = args.dir.join("recipe.toml");
    let recipe = recipe.display();
    ui::say(&format!(
        "next: `imagebuild doctor {recipe}`, then `imagebuild build {recipe}`"
    ));
    Ok(Exit::Done)
}

const RECIPE: &str = include_str!("init/recipe.toml");
const POLICY: &str = include_str!("init/policy.toml");
const SCRIPT: &str = include_str!("init/desktop.sh");

#[cfg(test)]
mod tests {
    use crate::recipe::Located;

    #[test]
    fn the_recipe_to_begin_with_is_valid() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.toml");
        crate::files::write(&path, super::RECIPE.as_bytes(), 0o644).unwrap();
        Located::load(&path).unwrap();
    }
}
