//! A first look.

use std::time::Instant;
use tests::lab::network::Place;

#[test]
fn first_look() {
    let began = Instant::now();
    let Some(lab) = super::lab() else { return };
    println!("up after {:?}", began.elapsed());
    let run = |script: &str| {
        let out = lab
            .command(Place::Vm, "bash")
            .arg("-c")
            .arg(script)
            .output()
            .unwrap();
        println!(
            "$ {script}\n{}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
    };
    let ca = lab.authority();
    let ca = ca.display();
    run(
        "curl -s -m 5 -H Metadata:true 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://storage.azure.com'",
    );
    run("curl -s -m 5 'http://169.254.169.254/metadata/instance?api-version=2021-02-01'");
    run(
        "getent hosts stsecure.blob.core.windows.net stlanding.blob.core.windows.net management.azure.com example.org; cat /etc/resolv.conf",
    );
    let token = "T=$(curl -s -m 5 -H Metadata:true 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=RES' | sed 's/.*access_token\":\"\\([^\"]*\\)\".*/\\1/');";
    let storage = token.replace("RES", "https://storage.azure.com");
    run(&format!(
        "{storage} echo hello > /tmp/h; curl -sS -m 5 --cacert {ca} -D- -X PUT -H \"Authorization: Bearer $T\" -H 'x-ms-version: 2021-12-02' -H 'x-ms-blob-type: BlockBlob' -H 'x-ms-meta-sha256: abc' --data-binary @/tmp/h https://stlanding.blob.core.windows.net/landing/a/b.txt"
    ));
    let arm = token.replace("RES", "https://management.azure.com");
    run(&format!(
        "{arm} curl -sS -m 5 --cacert {ca} -D- -X POST -H \"Authorization: Bearer $T\" -H 'content-type: application/json' -d '{{\"folder\":\"landing/a\",\"file\":\"b.txt\"}}' 'https://management.azure.com/subscriptions/00000000-1111-4222-8333-444444444444/resourceGroups/rg-tre/providers/Microsoft.DataFactory/factories/adf-tre/pipelines/secure-import/createRun?api-version=2018-06-01'; sleep 1.5;"
    ));
    run(&format!(
        "{storage} curl -sS -m 5 --cacert {ca} -D- -H \"Authorization: Bearer $T\" -H 'x-ms-version: 2021-12-02' https://stsecure.blob.core.windows.net/import/a/b.txt; curl -sS -m 5 --cacert {ca} -D- -H \"Authorization: Bearer $T\" -H 'x-ms-version: 2021-12-02' 'https://stsecure.blob.core.windows.net/import?restype=container&comp=list&include=versions,metadata'; curl -sS -m 5 --cacert {ca} -D- -X DELETE -H \"Authorization: Bearer $T\" -H 'x-ms-version: 2021-12-02' https://stsecure.blob.core.windows.net/import/a/b.txt"
    ));
    for asked in lab.secure.site.asked() {
        println!("{} {} {:?}", asked.from, asked.line(), asked.answered);
    }
    for asked in lab.landing.site.asked() {
        println!("{} {} {:?}", asked.from, asked.line(), asked.answered);
    }
    let began = Instant::now();
    drop(lab);
    println!("down after {:?}", began.elapsed());
}
