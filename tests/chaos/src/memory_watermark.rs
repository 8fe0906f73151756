//! RabbitMQ's memory alarm, raised and lifted.

use super::Fixture;

/// RabbitMQ's memory alarm. Dropping it sets the watermark to what it was.
pub struct MemoryAlarm<'a> {
    fixture: &'a Fixture,
    usual: Option<String>,
}

impl<'a> MemoryAlarm<'a> {
    /// Raises it. Blocks for 2 to 4 s.
    ///
    /// # Errors
    /// What `rabbitmqctl` printed.
    pub fn raise(fixture: &'a Fixture) -> Result<Self, String> {
        let program = "Usual = vm_memory_monitor:get_vm_memory_high_watermark(), \
            ok = vm_memory_monitor:set_vm_memory_high_watermark(0.000001), Usual.";
        let printed = fixture.rabbitmqctl(&["eval", program])?;
        let usual = printed.lines().last().unwrap_or_default().trim().to_owned();
        let alarm = Self { fixture, usual: Some(usual) };
        let is_number = alarm.usual.as_ref().is_some_and(|usual| usual.parse::<f64>().is_ok());
        if is_number { Ok(alarm) } else { Err(format!("the watermark was no number: {printed}")) }
    }

    /// Ends it. Blocks for 2 to 4 s.
    ///
    /// # Errors
    /// As for [`MemoryAlarm::raise`].
    pub fn lift(&mut self) -> Result<(), String> {
        let Some(usual) = self.usual.take() else { return Ok(()) };
        self.fixture.rabbitmqctl(&["set_vm_memory_high_watermark", &usual]).map(drop)
    }
}

impl Drop for MemoryAlarm<'_> {
    fn drop(&mut self) {
        let _ = self.lift();
    }
}
