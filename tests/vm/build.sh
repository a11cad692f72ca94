#!/bin/sh
# build.sh DIR - from nothing to a guest that QEMU boots: DIR/vmlinux, DIR/initrd.cpio, DIR/root.squashfs, DIR/root/.
# Debian of this machine's release, from this machine's own apt sources; needs root. Runs again only where it changed.
# The agent comes on a disk of its own.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
DIR=$(realpath -m "$1")
PACKAGES=systemd,systemd-sysv,udev,dbus,kmod,iproute2,procps,usbutils,usbip,sg3-utils,e2fsprogs,util-linux,python3,libusb-1.0-0,busybox-static
BOOT_MODULES="virtio_pci virtio_blk squashfs overlay 9p 9pnet_virtio ext4"          # what the initramfs itself loads
MODULES="vhci_hcd xhci_pci usb_storage uas sd_mod sg autofs4"
SUITE=$(. /etc/os-release && echo "$VERSION_CODENAME")
SOURCES=$(ls /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -1)
MASKED="getty.target systemd-user-sessions.service systemd-update-utmp.service systemd-random-seed.service
    systemd-journal-flush.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount apt-daily.timer
    apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
    systemd-tmpfiles-clean.timer dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount
    systemd-timesyncd.service systemd-networkd.service
    modprobe@dm_mod.service modprobe@loop.service modprobe@drm.service modprobe@fuse.service modprobe@configfs.service
    modprobe@efi_pstore.service"

wanted=$({ cat "$0" "$HERE/guest/init" "$HERE/guest/stage.service"; echo "$SUITE"; } | sha256sum)
[ "$(cat "$DIR/built" 2>/dev/null || true)" != "$wanted" ] || exit 0
rm -rf "$DIR/built" "$DIR/root" "$DIR/kernel" "$DIR/vmlinux" "$DIR/initrd.cpio"
mkdir -p "$DIR/kernel"
chmod 755 "$DIR"

# 1. The tree: minbase, no recommends, no documentation.
mmdebstrap --quiet --variant=minbase --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --include="$PACKAGES" "$SUITE" "$DIR/root" "$SOURCES"

# 2. Debian's own kernel with the modules that are wanted. Its bzImage is xz: unpacking that in an emulated processor
#    costs 5 to 9 s a boot, so it is unpacked here, and QEMU boots the ELF file.
cd "$DIR/kernel"
package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-/{print $2; exit}')
release=${package#linux-image-}
apt-get -q -o APT::Sandbox::User=root download "$package" >/dev/null
dpkg-deb -x ./*.deb .
depmod -b . "$release"
start=$(LC_ALL=C grep -abo "$(printf '\3757zXZ')" "boot/vmlinuz-$release" | head -1 | cut -d: -f1)
tail -c +$((start + 1)) "boot/vmlinuz-$release" | xz -dc --single-stream > "$DIR/vmlinux" 2>/dev/null || [ -s "$DIR/vmlinux" ]
modules() {
    for one; do modprobe -d . -S "$release" --show-depends "$one"; done \
        | awk '$1=="insmod"{print $2}' | sed 's#.*/lib/modules/#lib/modules/#' | awk '!seen[$0]++'
}
modules $BOOT_MODULES > boot.list
modules $BOOT_MODULES $MODULES > all.list
mkdir -p "$DIR/root/lib/modules/$release"
cp "lib/modules/$release"/modules.builtin* "lib/modules/$release/modules.order" "$DIR/root/lib/modules/$release/"
tar -c -T all.list | tar -x -C "$DIR/root" --keep-directory-symlink
depmod -b "$DIR/root" "$release"

# 3. What the guest does: one unit runs the checks that stand in the 9p share, then powers off.
cd "$DIR/root"
: > etc/machine-id
echo shop-computer > etc/hostname
mkdir -p stage etc/systemd/system-generators etc/systemd/system/stage.target.wants
cp "$HERE/guest/stage.service" etc/systemd/system/
printf '[Unit]\nRequires=multi-user.target\n' > etc/systemd/system/stage.target
ln -s ../stage.service etc/systemd/system/stage.target.wants/
for one in usr/lib/systemd/system-generators/*; do ln -sf /dev/null "etc/systemd/system-generators/${one##*/}"; done
for one in $MASKED; do ln -sf /dev/null "etc/systemd/system/$one"; done

echo force-unsafe-io > etc/dpkg/dpkg.cfg.d/stage  # a guest's tree is gone after the run
for person in shop stranger; do chroot . useradd -m "$person"; done

# 4. An initramfs that mounts the squashfs with a writable layer over it and hands over to systemd.
ramfs="$DIR/kernel/initramfs"
mkdir -p "$ramfs/bin" "$ramfs/modules"
cp bin/busybox "$ramfs/bin/"
number=10
while read -r one; do
    cp "$DIR/kernel/$one" "$ramfs/modules/$number-${one##*/}"
    number=$((number + 1))
done < "$DIR/kernel/boot.list"
cp "$HERE/guest/init" "$ramfs/init"
chmod 755 "$ramfs/init"
(cd "$ramfs" && find . | cpio -o -H newc --quiet) > "$DIR/initrd.cpio"
rm -f "$DIR/root.squashfs"
mksquashfs "$DIR/root" "$DIR/root.squashfs" -comp lz4 -no-xattrs -quiet -no-progress
rm -rf "$DIR/kernel"
echo "$wanted" > "$DIR/built"
