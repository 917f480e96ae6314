//! What the machine is told about itself.

use serde_json::{Value, json};

use crate::lab::network::Place;
use crate::lab::site::message::{Answer, Call, json_answer, raw, with};

/// The lab's subscription.
pub const SUBSCRIPTION: &str = "00000000-1111-4222-8333-444444444444";
/// The lab's resource group.
pub const RESOURCE_GROUP: &str = "rg-tre";
/// The id of the researcher's machine.
pub const VM_ID: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
/// Its ARM id.
pub(super) const RESOURCE_ID: &str = "/subscriptions/00000000-1111-4222-8333-444444444444/resourceGroups/rg-tre/\
     providers/Microsoft.Compute/virtualMachines/dsvm-01";

pub(super) fn answer(call: &Call, path: &[&str]) -> Answer {
    let document = document();
    let found = path.iter().try_fold(&document, |at, piece| match at {
        Value::Array(items) => items.get(piece.parse::<usize>().ok()?),
        other => other.get(piece),
    });
    let text = call.query("format").is_some_and(|format| format == "text");
    match found {
        None => json_answer(404, &json!({ "error": "Not found" })),
        Some(Value::String(leaf)) if text => with(
            raw(200, leaf.clone()),
            "content-type",
            "text/plain; charset=utf-8",
        ),
        Some(Value::String(_)) => {
            let error = "Bad request. The requested resource is a leaf and needs format=text.";
            json_answer(400, &json!({ "error": error }))
        }
        Some(_) if text => json_answer(400, &json!({ "error": "Bad request. Not a leaf." })),
        Some(found) => json_answer(200, found),
    }
}

/// The document of a trusted-launch machine; every value is a string, as in the real one.
fn document() -> Value {
    json!({
        "compute": {
            "azEnvironment": "AzurePublicCloud",
            "location": "westeurope",
            "name": "dsvm-01",
            "offer": "", "publisher": "", "sku": "", "version": "",
            "osType": "Linux",
            "resourceGroupName": RESOURCE_GROUP,
            "resourceId": RESOURCE_ID,
            "securityProfile": {
                "encryptionAtHost": "true", "secureBootEnabled": "true",
                "securityType": "TrustedLaunch", "virtualTpmEnabled": "true",
            },
            "storageProfile": { "imageReference": {
                "id": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/\
                       Microsoft.Compute/galleries/tre/images/research-desktop/versions/1.0.0"),
                "offer": "", "publisher": "", "sku": "", "version": "",
            } },
            "subscriptionId": SUBSCRIPTION,
            "tags": "workspace:ws-17",
            "tagsList": [{ "name": "workspace", "value": "ws-17" }],
            "vmId": VM_ID,
            "vmSize": "Standard_D4s_v5",
            "zone": "1",
        },
        "network": { "interface": [{
            "ipv4": {
                "ipAddress": [{ "privateIpAddress": Place::Vm.address().to_string(), "publicIpAddress": "" }],
                "subnet": [{ "address": "10.20.2.0", "prefix": "24" }],
            },
            "ipv6": { "ipAddress": [] },
            "macAddress": "0022480A1B2C",
        }] },
    })
}
