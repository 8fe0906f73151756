//! A plain AMQP client, without our layers: declares, publishes, looks into queues.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use amiquip::{
    AmqpProperties, AmqpValue, Channel, Connection, ConsumerMessage, ConsumerOptions, Delivery, ExchangeDeclareOptions,
    ExchangeType, Publish, QueueDeclareOptions, QueueDeleteOptions,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long the broker may take to send what it has.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection and a channel of its own. An error (such as a queue that is not there) closes the channel: open another.
pub struct AmqpClient {
    // Before the connection: dropped in order.
    channel: Channel,
    _connection: Connection,
}

impl AmqpClient {
    /// Logs in.
    ///
    /// # Errors
    /// The broker is not there.
    pub fn open(url: &str) -> Result<Self> {
        let mut connection = Connection::insecure_open(url)?;
        Ok(Self { channel: connection.open_channel(None)?, _connection: connection })
    }

    /// Declares a durable queue, with arguments.
    ///
    /// # Errors
    /// The broker's.
    pub fn declare_queue(&self, queue: &str, arguments: &[(&str, AmqpValue)]) -> Result<()> {
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.channel.queue_declare(queue, QueueDeclareOptions { durable: true, arguments, ..Default::default() })?;
        Ok(())
    }

    /// Declares a durable fanout exchange.
    ///
    /// # Errors
    /// The broker's.
    pub fn declare_exchange(&self, exchange: &str) -> Result<()> {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        self.channel.exchange_declare(ExchangeType::Fanout, exchange, options)?;
        Ok(())
    }

    /// Binds a queue to an exchange.
    ///
    /// # Errors
    /// The broker's.
    pub fn bind(&self, queue: &str, exchange: &str) -> Result<()> {
        Ok(self.channel.queue_bind(queue, exchange, "", BTreeMap::new())?)
    }

    /// Unbinds a queue from an exchange.
    ///
    /// # Errors
    /// The broker's.
    pub fn unbind(&self, queue: &str, exchange: &str) -> Result<()> {
        Ok(self.channel.queue_unbind(queue, exchange, "", BTreeMap::new())?)
    }

    /// Deletes a queue with all that is in it; none there is fine. How many messages were in it and with no consumer.
    ///
    /// # Errors
    /// The broker's.
    pub fn delete_queue(&self, queue: &str) -> Result<u64> {
        Ok(u64::from(self.channel.queue_delete(queue, QueueDeleteOptions::default())?))
    }

    /// Deletes a classic queue that is empty.
    ///
    /// # Errors
    /// Something is in it.
    pub fn delete_empty_queue(&self, queue: &str) -> Result<()> {
        self.channel.queue_delete(queue, QueueDeleteOptions { if_empty: true, if_unused: false })?;
        Ok(())
    }

    /// How many messages are in a queue and with no consumer.
    ///
    /// # Errors
    /// There is no such queue.
    pub fn ready(&self, queue: &str) -> Result<u64> {
        let declared = self.channel.queue_declare_passive(queue)?;
        Ok(u64::from(declared.declared_message_count().unwrap_or_default()))
    }

    /// Publishes a persistent message, unconfirmed.
    ///
    /// # Errors
    /// The connection's.
    pub fn publish(&self, exchange: &str, routing_key: &str, body: &[u8], properties: AmqpProperties) -> Result<()> {
        let properties = properties.with_delivery_mode(2);
        let publish =
            Publish { body, routing_key: routing_key.to_owned(), mandatory: false, immediate: false, properties };
        Ok(self.channel.basic_publish(exchange, publish)?)
    }

    /// The first message of a queue, acknowledged.
    ///
    /// # Errors
    /// There is no such queue.
    pub fn take(&self, queue: &str) -> Result<Option<Delivery>> {
        Ok(self.channel.basic_get(queue, true)?.map(|got| got.delivery))
    }

    /// All that is in a queue, acknowledged.
    ///
    /// # Errors
    /// There is no such queue.
    pub fn take_all(&self, queue: &str) -> Result<Vec<Delivery>> {
        let mut all = Vec::new();
        while let Some(delivery) = self.take(queue)? {
            all.push(delivery);
        }
        Ok(all)
    }

    /// [`AmqpClient::take_all`] for many: by consuming, without an acknowledgement for each.
    ///
    /// # Errors
    /// There is no such queue, or what it holds does not come.
    pub fn drain(&self, queue: &str) -> Result<Vec<Delivery>> {
        let ready = self.ready(queue)?;
        let mut all = Vec::new();
        if ready == 0 {
            return Ok(all);
        }
        let options = ConsumerOptions { no_ack: true, ..Default::default() };
        let consumer = self.channel.basic_consume(queue, options)?;
        while (all.len() as u64) < ready {
            match consumer.receiver().recv_timeout(PATIENCE)? {
                ConsumerMessage::Delivery(delivery) => all.push(delivery),
                other => return Err(format!("the consumer has ended: {other:?}").into()),
            }
        }
        Ok(all)
    }
}
