# Whatever touches -drive, -device, -machine or -netdev replaces all of Packer's own arguments of that name.
source "qemu" "image" {
  iso_url          = var.base
  iso_checksum     = "none"
  disk_image       = true
  use_backing_file = true
  # Without it Packer makes the layer 40 GiB, whatever the base is.
  disk_size        = var.disk_size
  skip_resize_disk = true
  format           = "qcow2"
  output_directory = var.output
  vm_name          = "image.qcow2"

  qemu_img_args {
    create = ["-F", "raw"]
  }

  headless    = true
  disable_vnc = true
  qemuargs = [
    ["-machine", "q35"],
    ["-accel", var.accelerator],
    ["-cpu", var.cpu],
    ["-smp", var.cpus],
    ["-m", var.memory],
    ["-nodefaults", ""],
    ["-vga", "none"],
    ["-display", "none"],
    ["-bios", var.firmware],
    ["-smbios", "type=11,path=${var.smbios}"],
    ["-serial", "file:${var.serial}"],
    ["-drive", "file=${var.output}/image.qcow2,if=virtio,format=qcow2,cache=unsafe,discard=unmap,detect-zeroes=unmap"],
    ["-drive", "file=${var.payload},if=virtio,format=raw,readonly=on"],
    ["-device", "virtio-net-pci,netdev=user.0"],
    # Without it an emulated machine waits many seconds until it has gathered randomness for its first key.
    ["-device", "virtio-rng-pci"],
    # The machine is reached through one port of the loopback and reaches nothing itself.
    ["-netdev", "user,id=user.0,restrict=on,hostfwd=tcp:127.0.0.1:{{ .SSHHostPort }}-:22"],
  ]

  communicator           = "ssh"
  ssh_username           = "root"
  ssh_private_key_file   = var.ssh_key
  ssh_timeout            = "15m"
  ssh_handshake_attempts = 200

  boot_wait        = "1s"
  shutdown_command = "systemctl poweroff"
  shutdown_timeout = "5m"
}
