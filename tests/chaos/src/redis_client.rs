//! A plain connection to Redis, without our layers.

use std::error::Error;
use std::time::Duration;

use r2d2_redis::redis;

/// Long enough for a store that was paused by the row that asks.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub struct RedisClient(redis::Connection);

impl RedisClient {
    /// Connects.
    ///
    /// # Errors
    /// The server is not there.
    pub fn open(url: &str) -> Result<Self, Box<dyn Error>> {
        let connection = redis::Client::open(url)?.get_connection()?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(connection))
    }

    /// Runs a command.
    ///
    /// # Errors
    /// Redis's, or an answer of another type.
    pub fn command<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> Result<T, Box<dyn Error>> {
        let (name, arguments) = words.split_first().ok_or("no command")?;
        Ok(redis::cmd(name).arg(arguments).query(&mut self.0)?)
    }
}
