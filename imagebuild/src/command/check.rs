use crate::{
    agent::Package,
    cache,
    cli::{self, Format},
    custody,
    exit::{Exit, Failure},
    files, gate,
    image::Image,
    judge, policy, qemu, ui,
};

/// Boots an image and judges it by a policy.
pub(super) fn run(args: &cli::Check) -> Result<Exit, Failure> {
    let cancel = super::project::cancel()?;
    let cache = cache::folder()?;
    let shipped = Package::find(None)
        .and_then(|path| Package::open(&path, &cache, &cancel))
        .map_or_else(|_| SHIPPED.into(), |package| package.shipped());
    let policy = policy::load(&args.policy, &shipped)?.policy;
    let image = Image::file(&args.image);
    if !image.is_file() {
        let sentence = format!("failed to find the image `{}`", image.display());
        return Err(Failure::new(Exit::BadInput, sentence));
    }
    let scratch = tempfile::tempdir().map_err(files::Error::write(&std::env::temp_dir()))?;
    let challenge = uuid::Uuid::new_v4().simple().to_string();
    let progress = ui::progress();
    progress.phase("boot and check", None);
    let boot = gate::Boot {
        image: &image,
        challenge: &challenge,
        timeout: args.timeout.into(),
        memory: args.memory.count(),
        cpus: 2,
        accelerator: qemu::accelerator(&cache),
        serial_log: &scratch.path().join("serial.log"),
    };
    let line = gate::boot(&boot, progress.as_ref(), &cancel)?;
    drop(progress);
    let digest = policy.digest();
    let expected = judge::Expected {
        challenge: Some(&challenge),
        policy: &digest,
        agent: None,
    };
    let judged = judge::judge(&line, &expected)?;
    match args.format {
        Format::Json => ui::json(&judged.report).map_err(custody::Error::from)?,
        Format::Text => ui::report(&judged.report),
    }
    Ok(if judged.conforms {
        Exit::Done
    } else {
        Exit::Deviates
    })
}

/// Where an installed agent has its policies.
const SHIPPED: &str = "/usr/share/dsvm-agent";
