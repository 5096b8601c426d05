//! The relay's command line.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use proto::Name;
use relay::{Config, Relay, admin::Admin};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// The relay of tvphone: passes calls and chat on over plain HTTP requests.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
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
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::from(([127, 0, 0, 1], relay::PORT)))]
    listen: SocketAddr,
    /// Folder of the database and the ticker's providers [default: tvphone-relay in the user's data folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Take no new accounts but those the admin command makes.
    #[arg(long)]
    no_sign_up: bool,
}

#[derive(Debug, Args)]
struct AdminArgs {
    /// Folder of the database [default: tvphone-relay in the user's data folder].
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
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
    /// Remove an account with all it has.
    Remove { name: Name },
}

#[derive(Debug, Subcommand)]
enum BuddyCommand {
    /// Make two people buddies of each other.
    Add { one: Name, other: Name },
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(levels()).init();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Requests are tiny: a thread that wakes another for each costs more than it gains, so half the cores do for the sockets.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads((cores / 2).max(1)).enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve(args).await,
            Command::Admin(args) => admin(args).await,
        }
    })
}

async fn serve(args: Serve) -> anyhow::Result<()> {
    let config = Config { listen: args.listen, sign_up: !args.no_sign_up, ..Config::new(data(args.data)?) };
    let relay = Relay::open(config).await?;
    let listener = relay.bind()?;
    // Before the line is printed: whoever reads it may say stop at once.
    let told = told_to_stop()?;
    println!("listening on http://{}", listener.local_addr()?);
    relay.run(listener, told).await?;
    Ok(())
}

async fn admin(args: AdminArgs) -> anyhow::Result<()> {
    let admin = Admin::open(&data(args.data)?).await?;
    match args.what {
        AdminCommand::User(UserCommand::Add { name, password_file }) => {
            let text = std::fs::read_to_string(&password_file)
                .with_context(|| format!("the password file {} can't be read", password_file.display()))?;
            let password = text.lines().next().unwrap_or_default();
            admin.add_user(&name, password).await?;
        }
        AdminCommand::User(UserCommand::List) => {
            for name in admin.users().await? {
                println!("{name}");
            }
        }
        AdminCommand::User(UserCommand::Remove { name }) => admin.remove_user(&name).await?,
        AdminCommand::Buddy(BuddyCommand::Add { one, other }) => admin.add_buddies(&one, &other).await?,
    }
    Ok(())
}

fn data(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let data = given.or_else(Config::default_data).context("this user has no data folder: say --data DIR")?;
    // The ticker's programs run in a folder of their own, from where a relative path would lead elsewhere.
    std::path::absolute(&data).with_context(|| format!("the data folder {} can't be used", data.display()))
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

/// What is logged: RUST_LOG in the form `level,module=level`, or what one who runs a relay wants to know.
fn levels() -> Targets {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO).with_target("sqlx", LevelFilter::WARN))
}
