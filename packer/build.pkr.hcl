build {
  name    = "sealed"
  sources = ["source.qemu.image"]

  provisioner "shell" {
    inline = [
      "mkdir -p /var/tmp/imagebuild",
      "mount -o ro,noload /dev/disk/by-label/imagebuild /var/tmp/imagebuild",
    ]
    inline_shebang = "/bin/sh -e"
    skip_clean     = true
  }

  provisioner "shell" {
    scripts    = var.scripts
    skip_clean = true
  }
}
