//! The relay's command line.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use proto::Name;
use relay::{
    Admission, Config, Flags, Listen, PlainHttp, Relay,
    admin::{self, Admin},
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// The relay of tvphone: passes calls and chat on over plain HTTP requests.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// How the log is written to standard error. RUST_LOG says how much, as `level` or `module=level,...`.
    #[arg(long, value_name = "FORM", value_enum, default_value = "text", global = true)]
    log: LogForm,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogForm {
    /// Lines for people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay until it is told to stop (SIGTERM or Ctrl-C).
    Serve(Serve),
    /// Look after accounts, whether the relay runs or not.
    Admin(AdminArgs),
}

#[derive(Debug, Args)]
struct Serve {
    /// Configuration file; what is said here comes before it [default: tvphone-relay.toml in the data folder, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen, once or several times: https://ADDR:PORT with TLS, http://ADDR:PORT or ADDR:PORT without; port 0 takes a free one
    /// [default: 127.0.0.1:7480].
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Listen>,
    /// File of the certificate for https:// addresses, in PEM [default: a self-signed one, made in the data folder].
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// File of its private key, in PEM [default: the certificate's file].
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Who may come without TLS [default: everyone].
    #[arg(long, value_name = "WHO", value_enum)]
    plain_http: Option<PlainHttp>,
    /// Folder of the database and the ticker's providers [default: tvphone-relay in the user's data folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A PostgreSQL database instead of the file in the data folder. Better said in the environment or in the configuration file: what stands
    /// on a command line is seen by everyone on the machine.
    #[arg(long, value_name = "URL", env = "TVPHONE_RELAY_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Who may make an account [default: open].
    #[arg(long, value_name = "WHO", value_enum)]
    sign_up: Option<Admission>,
    /// The same as `--sign-up closed`.
    #[arg(long, conflicts_with = "sign_up")]
    no_sign_up: bool,
}

impl From<Serve> for Flags {
    fn from(args: Serve) -> Self {
        let sign_up = if args.no_sign_up { Some(Admission::Closed) } else { args.sign_up };
        Self {
            file: args.config,
            data: args.data,
            database: args.database,
            listen: args.listen,
            certificate: args.certificate,
            key: args.key,
            plain_http: args.plain_http,
            sign_up,
        }
    }
}

#[derive(Debug, Args)]
struct AdminArgs {
    /// Configuration file, for the data folder it names [default: tvphone-relay.toml in the data folder, if there is one].
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Folder of the database [default: tvphone-relay in the user's data folder].
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// The relay's PostgreSQL database, if that is where it keeps its accounts.
    #[arg(long, value_name = "URL", env = "TVPHONE_RELAY_DATABASE", hide_env_values = true, global = true)]
    database: Option<String>,
    #[command(subcommand)]
    what: AdminCommand,
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Buddy lists.
    #[command(subcommand)]
    Buddy(BuddyCommand),
    /// Invitation codes, for a relay with `sign_up = "code"`.
    #[command(subcommand)]
    Code(CodeCommand),
    /// What people have reported of others.
    #[command(subcommand)]
    Report(ReportCommand),
    /// Back everything up, while the relay runs or not: the data folder, and the database as it is at one moment.
    Backup {
        /// The folder to make; it can be empty or not there yet.
        folder: PathBuf,
    },
    /// Put a backup into the data folder, which must be empty, and sign everyone off. The relay must not run.
    Restore {
        /// The folder that `backup` made.
        folder: PathBuf,
    },
    /// Write all that is kept of one person into a file, as JSON.
    Export {
        name: Name,
        /// The file to make.
        file: PathBuf,
    },
    /// Print what the certificate is known by (SHA-256), for people to compare when they first connect.
    Fingerprint,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Make an account.
    Add {
        name: Name,
        /// File with the password in its first line.
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// List all accounts.
    List,
    /// Give an account another password; it is signed off on all devices.
    Password {
        name: Name,
        /// File with the password in its first line.
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// Remove an account with all it has: sessions, buddies, every message from it and to it.
    #[command(visible_alias = "delete")]
    Remove {
        name: Name,
        /// Yes, remove it: nothing brings it back.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
enum BuddyCommand {
    /// Make two people buddies of each other.
    Add { one: Name, other: Name },
}

#[derive(Debug, Subcommand)]
enum CodeCommand {
    /// Make a code and print it: it can't be shown again.
    Add {
        /// Accounts that can be made by it.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        uses: u32,
        /// Days it counts for.
        #[arg(long, value_name = "D", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
    },
    /// List the codes that still count: number, accounts left, days left. What they say is not kept.
    List,
    /// Take a code back.
    Remove {
        /// Its number, as `code list` shows it.
        number: i64,
    },
}

#[derive(Debug, Subcommand)]
enum ReportCommand {
    /// List what waits: number, days ago, who wrote, of whom; what they wrote follows, each line after a tab.
    List,
    /// Forget a report that was dealt with.
    Close {
        /// Its number, as `report list` shows it.
        number: i64,
    },
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let lines = tracing_subscriber::fmt::layer().with_ansi(colors()).with_writer(std::io::stderr);
    match cli.log {
        LogForm::Text => tracing_subscriber::registry().with(lines).with(levels()).init(),
        LogForm::Json => tracing_subscriber::registry().with(lines.json()).with(levels()).init(),
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Requests are tiny: a thread that wakes another for each costs more than it gains, so half the cores do for the sockets.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // A chunk wakes all its readers at once: they are served before what they ask next is read.
    let runtime = runtime.worker_threads((cores / 2).max(1)).event_interval(256).enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve(args).await,
            Command::Admin(args) => admin(args).await,
        }
    })
}

async fn serve(args: Serve) -> anyhow::Result<()> {
    let relay = Relay::open(Config::load(args.into())?).await?;
    let sockets = relay.bind()?;
    // Before the line is printed: whoever reads it may say stop at once.
    let told = told_to_stop()?;
    for socket in &sockets {
        println!("listening on {}", socket.listen()?);
    }
    relay.run(sockets, told).await?;
    Ok(())
}

async fn admin(args: AdminArgs) -> anyhow::Result<()> {
    let config = Config::load(Flags { file: args.config, data: args.data, database: args.database, ..Flags::default() })?;
    if let AdminCommand::Restore { folder } = &args.what {
        return Ok(admin::restore(&config, folder).await?);
    }
    if matches!(args.what, AdminCommand::Fingerprint) {
        println!("{}", admin::fingerprint(&config)?);
        return Ok(());
    }
    let admin = Admin::open(&config).await?;
    match args.what {
        AdminCommand::User(UserCommand::Add { name, password_file }) => {
            admin.add_user(&name, &first_line(&password_file)?).await?;
        }
        AdminCommand::User(UserCommand::Password { name, password_file }) => {
            admin.set_password(&name, &first_line(&password_file)?).await?;
        }
        AdminCommand::User(UserCommand::List) => {
            for name in admin.users().await? {
                println!("{name}");
            }
        }
        AdminCommand::User(UserCommand::Remove { name, yes }) => {
            anyhow::ensure!(
                yes,
                "this would remove {name} with all it has for good: say --yes to do it, or `admin export` it before"
            );
            admin.remove_user(&name).await?;
        }
        AdminCommand::Buddy(BuddyCommand::Add { one, other }) => admin.add_buddies(&one, &other).await?,
        AdminCommand::Code(CodeCommand::Add { uses, days }) => println!("{}", admin.add_code(uses, days).await?),
        AdminCommand::Code(CodeCommand::List) => {
            for code in admin.codes().await? {
                // A day that has begun is one that's left.
                println!("{}\t{}\t{}", code.id, code.uses, code.time.as_secs().div_ceil(24 * 3600));
            }
        }
        AdminCommand::Code(CodeCommand::Remove { number }) => admin.remove_code(number).await?,
        AdminCommand::Report(ReportCommand::List) => {
            for report in admin.reports().await? {
                println!("{}\t{}\t{}\t{}", report.id, report.age.as_secs() / (24 * 3600), report.by, report.about);
                for line in report.text.lines() {
                    println!("\t{line}");
                }
            }
        }
        AdminCommand::Report(ReportCommand::Close { number }) => admin.close_report(number).await?,
        AdminCommand::Backup { folder } => admin.backup(&folder).await?,
        AdminCommand::Export { name, file } => admin.export(&name, &file).await?,
        // Done before anything was opened.
        AdminCommand::Restore { .. } | AdminCommand::Fingerprint => {}
    }
    admin.close().await;
    Ok(())
}

fn first_line(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("the password file {} can't be read", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Ends when the system or the person at the keyboard wants the relay to; listens for it from the moment this returns.
#[cfg(unix)]
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    })
}

#[cfg(not(unix))]
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}

/// Whether what is logged may be coloured: on a terminal, unless its owner says no (no-color.org).
fn colors() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What is logged: RUST_LOG in the form `level,module=level`, or what one who runs a relay wants to know.
fn levels() -> Targets {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO).with_target("sqlx", LevelFilter::WARN))
}
